#include <openssl/ssl.h>

#include "base/base64url.h"
#include "crypto/cms.h"
#include "est/csrattrs.h"
#include "vectors.h"
#include "world.h"

using namespace acmetool;
using namespace acmetool::teap_test;

TEST_CASE("TEAP-01b, TEAP-02a, TEAP-18: TLVs that break the rules of phase 2 end with the fitting error")
{
    for (const std::string version : {"1.2", "1.3"}) {
        World world;
        world.max_version = version;
        const auto says = [&](const std::function<Tlvs(RawPeer&)>& words) {
            RawPeer peer{world};
            peer.say(words(peer));
            return peer.error();
        };
        CAPTURE(version);
        // PKCS#10 before the tunnel is proven
        CHECK(says([](RawPeer& peer) { return Tlvs{peer.pkcs10()}; }) == 2002);
        // no Crypto-Binding
        CHECK(says([](RawPeer&) { return Tlvs{result_tlv(Status::success)}; }) == 2001);
        // a Crypto-Binding that was tampered with
        CHECK(says([](RawPeer& peer) {
                  auto binding = peer.binding();
                  binding.value.back() ^= 1U;
                  return Tlvs{binding, result_tlv(Status::success)};
              }) == 2001);
        CHECK(says([](RawPeer& peer) { return Tlvs{peer.binding()}; }) == 2002);
        CHECK(says([](RawPeer& peer) {
                  return Tlvs{peer.binding(), peer.binding(), result_tlv(Status::success)};
              }) == 2002);
        CHECK(says([](RawPeer&) { return Tlvs{{true, tlv_type::kPac, {}}}; }) == 2002);
        CHECK(says([](RawPeer&) { return Tlvs{{true, tlv_type::kResult, {0, 9}}}; }) == 2002);
        CHECK(world.authority.enrolments == 0);
    }
}

TEST_CASE(
    "TEAP-18: an unknown mandatory TLV gets a NAK, error 2002 beside a Result; an empty or broken PKCS#10 "
    "error 1025")
{
    World world;
    RawPeer peer{world};
    const Tlv unknown{true, 777, {}};
    peer.say({unknown, peer.binding()});
    CHECK(peer.heard == Tlvs{nak_tlv(unknown)});
    RawPeer last{world};
    last.say({unknown, last.binding(), result_tlv(Status::success)});
    CHECK(last.error() == 2002);

    for (const Bytes& value : {Bytes{}, Bytes{0x30, 0x03, 0x02, 0x01, 0x00}}) {
        RawPeer bad{world};
        bad.say({bad.binding(), result_tlv(Status::success)});
        REQUIRE(find(bad.heard, tlv_type::kRequestAction) != nullptr);
        bad.say({{false, tlv_type::kPkcs10, value}});
        CHECK(bad.error() == 1025);
    }
    CHECK(world.authority.enrolments == 0);
}

TEST_CASE("TEAP-05c, TEAP-06: what a peer's Request-Action asks for is done, or its status is the Result")
{
    World world;
    const auto negotiate = [](Status status) {
        return Tlv{true,
                   tlv_type::kRequestAction,
                   {static_cast<std::uint8_t>(status), RequestAction::kNegotiateEap}};
    };
    const auto bound_with = [](RawPeer& peer, const Tlvs& more) {
        Tlvs all{peer.binding()};
        all.insert(all.end(), more.begin(), more.end());
        peer.say(all);
    };
    world.server->ask = AskPolicy::never;
    RawPeer content{world};
    bound_with(content, {negotiate(Status::success)});
    CHECK(content.answer.outcome == Outcome::accept);
    RawPeer demanding{world};
    bound_with(demanding, {result_tlv(Status::success), negotiate(Status::failure)});
    CHECK(demanding.answer.outcome == Outcome::reject);
    CHECK(demanding.server.summary().text.find("Negotiate-EAP") != std::string::npos);
    RawPeer both{world};
    bound_with(both, {negotiate(Status::success),
                      request_action_tlv(Status::failure, {{false, tlv_type::kChannelBinding, {1}}})});
    CHECK(both.answer.outcome == Outcome::reject);
    RawPeer broken{world};
    bound_with(broken, {{true, tlv_type::kRequestAction, {}}});
    CHECK(broken.error() == 2002);

    world.server->ask = AskPolicy::needed;
    RawPeer declining{world};
    bound_with(declining, {result_tlv(Status::success)});
    declining.say({negotiate(Status::success)});
    CHECK(declining.error() == 1004); // our Request-Action has the status failure
    RawPeer nested{world};
    bound_with(nested, {result_tlv(Status::success)});
    nested.say({request_action_tlv(Status::failure, {nested.pkcs10()})});
    CHECK(find(nested.heard, tlv_type::kPkcs7) != nullptr);
    CHECK(world.authority.enrolments == 1);
}

TEST_CASE(
    "TEAP-19c: outer TLVs that cannot be read, or are mandatory, are ignored, and the Crypto-Binding is over "
    "them")
{
    for (const auto* hex : {"800200020002", "ffff", "00020002000280ff000100"}) {
        CAPTURE(hex);
        World world;
        RawPeer peer{world, {}, test::from_hex(hex)};
        peer.say({peer.binding(), result_tlv(Status::success)});
        CHECK(find(peer.heard, tlv_type::kRequestAction) != nullptr);
    }
}

TEST_CASE("TEAP-12b: a CSR that was bound to another tunnel is told apart")
{
    World world;
    world.max_version = "1.2";
    std::optional<crypto::Csr> old;
    const auto make = world.peer.make_request;
    world.peer.make_request = [&](const auto& attributes, const auto& binding) {
        if (!old) old = *make(attributes, binding);
        return Result<crypto::Csr>{*old};
    };
    CHECK(talk(world).outcome == Outcome::accept);
    CHECK(world.authority.binding == enrol::Binding::matches);
    talk(world);
    CHECK(world.authority.binding == enrol::Binding::differs);
}

TEST_CASE("TEAP-08a, TEAP-17b: keys and extensions that nobody asked for are errors 1022 and 1023")
{
    const auto error_of = [](enrol::Refusal why) {
        World world;
        world.authority.decision = enrol::Refused{why, "not certified here", {}};
        return talk(world).peer.errors;
    };
    CHECK(error_of(enrol::Refusal::unsupported_algorithm) == std::vector<std::uint32_t>{1022});
    CHECK(error_of(enrol::Refusal::unsupported_extension) == std::vector<std::uint32_t>{1023});
    CHECK(error_of(enrol::Refusal::bad_request) == std::vector<std::uint32_t>{1025});
}

TEST_CASE("SEC-14: the device is who the registration authority says, not the subject of its certificate")
{
    World world;
    const auto key = *crypto::generate_key("ec:P-256");
    const auto& ca = world.authority.intermediate;
    world.device = {key,
                    test::make_certificate(key, "d-1.example", "ADMIN-1", ca.key, "Intermediate", false)};
    world.authority.issued.push_back(world.device.certificate);
    const auto done = talk(world);
    CHECK(done.outcome == Outcome::accept);
    CHECK(done.summary.issued_here);
    CHECK(done.summary.serial_number == "D-1");
    CHECK(done.summary.names == std::vector<std::string>{"d-1.example"});
}

TEST_CASE("TBR-07b, TBR-07c: the PKCS#10 comes again in the same tunnel if the server says so, else it tells "
          "to come back")
{
    World world;
    world.server->retry_in_tunnel = std::chrono::seconds{5};
    world.authority.decision = enrol::Pending{std::chrono::seconds{3}};
    const auto done = talk(world, [&](bool by_peer, int, Bytes&) {
        if (by_peer && world.authority.enrolments == 2) world.authority.decision.reset();
    });
    CHECK(done.outcome == Outcome::accept);
    CHECK(done.peer.errors.empty());
    CHECK(world.authority.enrolments == 3);
    world.authority.decision = enrol::Pending{std::chrono::seconds{6}};
    world.server->pending_error = world.server->numbers.retry_new_tunnel;
    const auto later = talk(world);
    CHECK(later.outcome == Outcome::reject);
    CHECK(later.peer.errors == std::vector<std::uint32_t>{world.server->numbers.retry_new_tunnel});
}

TEST_CASE("TBR-07a, TBR-07b: the peer waits as Retry-After says, and sends the very same PKCS#10")
{
    World world;
    const BrskiNumbers numbers;
    RawServer server{world};
    server.bind();
    server.say({request_action_tlv(Status::failure, {{false, tlv_type::kPkcs10, {}}})});
    const auto first = server.heard;
    REQUIRE(find(first, tlv_type::kPkcs10) != nullptr);
    CHECK(server.peer.delay() == std::chrono::seconds{0});
    for (const std::uint32_t seconds : {3U, 40U}) {
        server.say({error_tlv(numbers.retry_same_tunnel), retry_after_tlv(seconds, numbers)});
        CHECK(server.heard == Tlvs{*find(first, tlv_type::kPkcs10)});
        CHECK(server.peer.delay() == std::chrono::seconds{seconds});
        CHECK(server.peer.result().errors.empty());
    }
    // In a new tunnel only: this one ends.
    server.say(
        {error_tlv(numbers.retry_new_tunnel), retry_after_tlv(9, numbers), result_tlv(Status::failure)});
    CHECK(find(server.heard, tlv_type::kPkcs10) == nullptr);
    CHECK(server.peer.result().errors == std::vector<std::uint32_t>{numbers.retry_new_tunnel});
    CHECK(server.peer.result().retry_after == std::chrono::seconds{9});
    CHECK_FALSE(server.accepted_by_peer());
}

TEST_CASE("TBR-08: a peer that can make no request says why, and sends no empty PKCS#10")
{
    World world;
    world.peer.make_request = [](const auto&, const auto&) -> Result<crypto::Csr> {
        return fail(Errc::bad_input, "no name", {}, "noName");
    };
    RawServer server{world};
    server.bind();
    server.say({request_action_tlv(Status::failure, {{false, tlv_type::kPkcs10, {}}})});
    CHECK(find(server.heard, tlv_type::kPkcs10) == nullptr);
    CHECK(server.told_error() == 1004);
    CHECK_FALSE(server.accepted_by_peer());
}

TEST_CASE("TBR-09a: numbers that nobody assigned can be set, and no others")
{
    BrskiNumbers numbers;
    CHECK(set_number(numbers, "request-voucher=0x2001"));
    CHECK(numbers.request_voucher == 0x2001);
    CHECK(set_number(numbers, "retry_new_tunnel = 2500"));
    for (const auto* bad : {"", "voucher", "voucher=16", "voucher=0x2001", "voucher=0x4000", "pkcs10=40",
                            "retry_same_tunnel=2500", "masa_refused=1024", "nai=1x"})
        CHECK_FALSE(set_number(numbers, bad));
}

TEST_CASE("TEAP-03: the certificate of phase 1 is the proof of identity, and no inner method runs before the "
          "PKCS#7")
{
    World world;
    CHECK(talk(world).summary.enrolled);
    for (const auto& line : world.shown) {
        CHECK(line.find("EAP-Payload") == std::string::npos);
        CHECK(line.find("Basic-Password") == std::string::npos);
        CHECK(line.find("Intermediate-Result") == std::string::npos);
    }
    // Without one there is no other proof, whatever the peer says.
    for (const auto order : {Order::binding_first, Order::binding_last}) {
        World nobody;
        nobody.shows_certificate = false;
        nobody.server->order = order;
        RawPeer peer{nobody};
        CHECK(*parse_error(*find(peer.heard, tlv_type::kError)) == 1019);
        peer.say({peer.pkcs10()});
        CHECK(peer.answer.outcome == Outcome::reject);
        CHECK(nobody.authority.enrolments == 0);
    }
}

TEST_CASE("TEAP-13a, TEAP-13b, TBR-09b: CSR-Attributes are bare DER beside the PKCS#10 that is asked for, "
          "right after the "
          "handshake, too")
{
    for (const auto order : {Order::binding_first, Order::binding_last}) {
        World world;
        world.server->order = order;
        world.server->csr_attributes = est::to_csrattrs;
        RawPeer raw{world};
        if (order == Order::binding_first) raw.say({raw.binding(), result_tlv(Status::success)});
        const auto action = *parse_request_action(*find(raw.heard, tlv_type::kRequestAction));
        REQUIRE(action.tlvs.size() == 2);
        CHECK(action.tlvs[1].type == 18);
        CHECK_FALSE(action.tlvs[1].mandatory);
        const auto told = est::parse_csrattrs(action.tlvs[1].value); // takes bare DER alone
        REQUIRE(told);
        CHECK(find(action.tlvs, tlv_type::kPkcs10)->value.empty());

        std::optional<Bytes> seen;
        const auto make = world.peer.make_request;
        world.peer.make_request = [&](const auto& attributes, const auto& binding) {
            seen = attributes;
            return make(attributes, binding);
        };
        CHECK(talk(world).outcome == Outcome::accept);
        CHECK(seen == action.tlvs[1].value);
    }
    // A server that goes by the TEAP-BRSKI draft sends base64: the peer takes that, too.
    World world;
    const Bytes der{0x30, 0x00};
    world.server->csr_attributes = [&](const auto&) -> Result<Bytes> {
        const auto text = base::to_base64(der);
        return Bytes{text.begin(), text.end()};
    };
    std::optional<Bytes> seen;
    const auto make = world.peer.make_request;
    world.peer.make_request = [&](const auto& attributes, const auto& binding) {
        seen = attributes;
        return make(attributes, binding);
    };
    CHECK(talk(world).outcome == Outcome::accept);
    CHECK(seen == der);
}

namespace
{

/// A whole handshake of OpenSSL's own client with the server's context; the session it may offer next time.
struct Resumption {
    crypto::Owned<SSL_CTX, SSL_CTX_free> context{SSL_CTX_new(TLS_client_method())};
    crypto::Owned<SSL_SESSION, SSL_SESSION_free> session;
    bool reused = false;
    unsigned tickets = 0;

    explicit Resumption(int version)
    {
        SSL_CTX_set_min_proto_version(context.get(), version);
        SSL_CTX_set_max_proto_version(context.get(), version);
        SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_CLIENT);
        SSL_CTX_set_app_data(context.get(), this);
        SSL_CTX_sess_set_new_cb(context.get(), [](SSL* ssl, SSL_SESSION*) {
            auto* self = static_cast<Resumption*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
            ++self->tickets;
            return 0;
        });
    }
    void connect(const crypto::TlsContext& server_context, const Party& device)
    {
        auto server = *crypto::TlsEngine::start(server_context, {});
        const crypto::Owned<SSL, SSL_free> ssl{SSL_new(context.get())};
        SSL_use_certificate(ssl.get(), device.certificate.get());
        SSL_use_PrivateKey(ssl.get(), device.key.get());
        if (session) SSL_set_session(ssl.get(), session.get());
        BIO* in = BIO_new(BIO_s_mem());
        BIO* out = BIO_new(BIO_s_mem());
        SSL_set_bio(ssl.get(), in, out);
        SSL_set_connect_state(ssl.get());
        for (int i = 0; i < 6; ++i) {
            SSL_do_handshake(ssl.get());
            std::array<std::uint8_t, 16384> buffer{};
            const int size = BIO_read(out, buffer.data(), buffer.size());
            if (size > 0) REQUIRE(server.feed(ByteView{buffer}.first(static_cast<std::size_t>(size))));
            const auto answer = server.take_output();
            BIO_write(in, answer.data(), static_cast<int>(answer.size()));
        }
        REQUIRE(server.established());
        std::uint8_t octet = 0;
        SSL_read(ssl.get(), &octet, 1); // what comes after the handshake
        reused = SSL_session_reused(ssl.get()) == 1;
        session.reset(SSL_get1_session(ssl.get()));
    }
};

} // namespace

TEST_CASE(
    "TEAP-16: no ticket is given and no session resumed, so that none outlives the credential it began with")
{
    World world;
    const auto context = world.server_context();
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        Resumption client{version};
        client.connect(context, world.device);
        CHECK(client.tickets == 0);
        unsigned length = 0;
        SSL_SESSION_get_id(client.session.get(), &length);
        client.connect(context, world.device);
        CHECK_FALSE(client.reused);
        CHECK(SSL_SESSION_has_ticket(client.session.get()) == 0);
    }
}

TEST_CASE("TEAP-19a, TEAP-19b, TEAP-19c: the peer sends Identity-Type outside the tunnel unless told not to, "
          "and the server takes "
          "either")
{
    for (const bool sends : {true, false}) {
        World world;
        if (!sends) world.peer.identity_type.reset();
        Bytes outer;
        const auto done = talk(world, [&](bool by_peer, int number, Bytes& eap) {
            if (!by_peer || number != 1) return;
            const auto packet = *parse_eap(eap);
            const auto frame = *parse_frame(packet.data);
            const auto size = frame.outer_tlv_length.value_or(0);
            outer.assign(frame.data.end() - static_cast<std::ptrdiff_t>(size), frame.data.end());
        });
        CHECK(done.outcome == Outcome::accept);
        CHECK(outer == (sends ? Bytes{0x00, 0x02, 0x00, 0x02, 0x00, 0x02} : Bytes{}));
    }
}

TEST_CASE("TEAP-20a, TEAP-20b: a certificate alone lets in under TLS 1.3, or not, as cert_only says; "
          "enrolment always counts")
{
    for (const std::string version : {"1.2", "1.3"})
        for (const bool accept : {true, false}) {
            World world;
            world.max_version = version;
            CHECK(ServerSettings{}.cert_only);
            world.server->cert_only = accept;
            const auto first = talk(world); // with an enrolment
            REQUIRE(first.outcome == Outcome::accept);
            world.device = {world.new_key, *first.peer.certificate};
            const auto again = talk(world);
            const bool strict = !accept && version == "1.3";
            CHECK(again.outcome == (strict ? Outcome::reject : Outcome::accept));
            CHECK(again.peer.errors ==
                  (strict ? std::vector<std::uint32_t>{1004} : std::vector<std::uint32_t>{}));
        }
}

TEST_CASE("TBR-10a, TEAP-01a: what stands outside the tunnel is never acted on")
{
    // Enrolment outside: the server hears it as an outer TLV, and asks for its own inside all the same.
    World world;
    const auto with_outer = [&](int at, const Tlv& tlv) {
        return talk(world, [at, &tlv](bool by_peer, int number, Bytes& eap) {
            if (!by_peer || number != at) return;
            auto packet = *parse_eap(eap);
            auto frame = *parse_frame(packet.data);
            const auto more = encode({tlv});
            frame.data.insert(frame.data.end(), more.begin(), more.end());
            frame.outer_tlv_length =
                frame.outer_tlv_length.value_or(0) + static_cast<std::uint32_t>(more.size());
            packet.data = frame.encode();
            eap = packet.encode();
        });
    };
    const Tlv pkcs10{false, tlv_type::kPkcs10, world.peer.make_request({}, {})->der};
    CHECK(with_outer(1, pkcs10).outcome == Outcome::reject); // the Crypto-Binding covers it
    CHECK(with_outer(1, {true, tlv_type::kPkcs10, pkcs10.value}).outcome == Outcome::reject);
    const auto voucher_request = world.server->numbers.request_voucher;
    CHECK(with_outer(1, {false, voucher_request, {'r'}}).outcome == Outcome::reject);
    CHECK(world.authority.enrolments == 0);
    // Later ones are ignored (RFC 7170 section 4.3.1): the conversation is what it was without them.
    const auto later = with_outer(3, {false, tlv_type::kResult, {0, 2}});
    CHECK(later.outcome == Outcome::accept);
    CHECK(world.authority.enrolments == 1);

    // In the place of TLS records: not a TLS record, so an alert and the end.
    const auto bare = talk(world, [&](bool by_peer, int number, Bytes& eap) {
        if (!by_peer || number != 3) return;
        auto packet = *parse_eap(eap);
        Frame frame;
        frame.data = encode({pkcs10, result_tlv(Status::success)});
        packet.data = frame.encode();
        eap = packet.encode();
    });
    CHECK(bare.outcome != Outcome::accept);
    CHECK_FALSE(bare.peer.accepted);
    CHECK(world.authority.enrolments == 1);
}

TEST_CASE("TEAP-01b, TEAP-02a: TLVs on the tunnel's last handshake message, before it was proven, end it")
{
    World world;
    world.max_version = "1.3";
    RawPeer peer{world, {{false, tlv_type::kPkcs10, world.peer.make_request({}, {})->der}}};
    CHECK(*parse_error(*find(peer.heard, tlv_type::kError)) == 2002);
    peer.say({result_tlv(Status::success)});
    CHECK(peer.answer.outcome == Outcome::reject);
    CHECK(world.authority.enrolments == 0);
}

TEST_CASE("TEAP-01b, TEAP-18: a server that breaks the rules of phase 2 is told so, and not believed")
{
    for (const std::string version : {"1.2", "1.3"}) {
        World world;
        world.max_version = version;
        const auto says = [&](const std::function<Tlvs(RawServer&)>& words) {
            RawServer server{world};
            server.say(words(server));
            const auto code = server.told_error();
            CHECK_FALSE(server.accepted_by_peer());
            return code;
        };
        CAPTURE(version);
        CHECK(says([](RawServer& server) {
                  auto binding = server.binding();
                  binding.value.back() ^= 1U;
                  return Tlvs{binding, result_tlv(Status::success)};
              }) == 2001);
        CHECK(says([](RawServer&) { return Tlvs{result_tlv(Status::success)}; }) == 2001);
        CHECK(says([](RawServer& server) {
                  return Tlvs{server.binding(), server.binding(), result_tlv(Status::success)};
              }) == 2002);
        CHECK(says([](RawServer& server) {
                  return Tlvs{
                      server.binding(), {false, tlv_type::kPkcs7, {0x30, 0x00}}, result_tlv(Status::success)};
              }) == 2002);

        const Tlv strange{true, 777, {}};
        CHECK(says([&](RawServer& server) {
                  return Tlvs{strange, server.binding(), result_tlv(Status::success)};
              }) == 2002);
        RawServer unknown{world};
        unknown.say({strange, unknown.binding()});
        CHECK(unknown.heard == Tlvs{nak_tlv(strange)});
        CHECK_FALSE(unknown.accepted_by_peer());

        RawServer good{world};
        good.bind();
        CHECK(good.accepted_by_peer());
    }
}

TEST_CASE("TEAP-11a, TEAP-11b: the peer's certificate is found by its key, wherever it stands, and no other "
          "is taken for it")
{
    World world;
    const auto& ca = world.authority;
    const auto own =
        test::make_certificate(world.new_key, "d-1.example", "", ca.intermediate.key, "Intermediate", false);
    const auto other = signed_by(ca.intermediate, "Intermediate", "d-1.example", "").certificate;
    const auto answered_with = [&](const std::vector<crypto::Certificate>& certificates) {
        RawServer server{world};
        server.bind();
        server.say({request_action_tlv(Status::failure, {{false, tlv_type::kPkcs10, {}}})});
        REQUIRE(find(server.heard, tlv_type::kPkcs10) != nullptr);
        server.say(
            {{false, tlv_type::kPkcs7, *crypto::to_certs_only(certificates)}, result_tlv(Status::success)});
        const auto& result = server.peer.result();
        CHECK(result.certificate.has_value() == server.accepted_by_peer());
        CHECK(result.roots.empty()); // the self-signed one among them is trusted for nothing
        return result.certificate ? result.certificate->der() : Bytes{};
    };
    CHECK(answered_with({ca.root.certificate, other, ca.intermediate.certificate, own}) == own.der());
    CHECK(answered_with({ca.root.certificate, other}).empty());
}

TEST_CASE(
    "FLD-R3, TEAP-25a, TEAP-25b: an inner method gets a NAK, then failure; a password's request gets failure")
{
    const Tlv inner{true, tlv_type::kEapPayload, {1, 7, 0, 6, 26, 0}};
    World world;
    RawServer server{world};
    server.say({inner});
    CHECK(server.heard == Tlvs{nak_tlv(inner)});
    CHECK(server.peer.result().wanted == "the inner EAP method 26");
    server.say({inner});
    CHECK(server.told_error() == 1032);
    CHECK_FALSE(server.accepted_by_peer());

    RawServer identity{world};
    identity.say({{true, tlv_type::kEapPayload, {1, 7, 0, 5, 1}}});
    CHECK(identity.peer.result().wanted == "an inner EAP method");

    RawServer password{world};
    password.say({{true, tlv_type::kBasicPasswordAuthReq, {'P', 'I', 'N'}}});
    CHECK(password.told_error() == 1032);
    CHECK(password.peer.result().wanted == "a password");
    CHECK_FALSE(password.accepted_by_peer());
}

TEST_CASE("FLD-E10, ESTC-26b: a TEAP peer refuses a certificate without the name that it asked for")
{
    World world;
    const auto& ca = world.authority.intermediate;
    world.authority.decision = enrol::Issued{
        test::make_certificate(world.new_key, "other.example", "", ca.key, "Intermediate", false)};
    const auto result = talk(world);
    REQUIRE(result.peer_error);
    CHECK(result.peer_error->reason.word() == "certificateNames");
    CHECK_FALSE(result.peer.certificate);
    CHECK_FALSE(result.peer.accepted);
}

TEST_CASE("FLD-R10, TEAP-22, TEAP-24: the realm of an identity names the server, except below eap.arpa")
{
    CHECK(realm_to_verify("anonymous").empty());
    CHECK(realm_to_verify("teap-bootstrap@").empty());
    CHECK(realm_to_verify("@Example.COM") == "example.com");
    CHECK(realm_to_verify("odd@name@iot.example.com") == "iot.example.com");
    CHECK(realm_to_verify("teap@eap.arpa").empty());
    CHECK(realm_to_verify("anonymous@teap.EAP.arpa").empty());
    CHECK(realm_to_verify("a@noteap.arpa") == "noteap.arpa");
    World world;
    world.peer.identity = "anonymous@teap.eap.arpa";
    const auto done = talk(world);
    CHECK(done.outcome == Outcome::accept);
    CHECK(done.summary.identity == "anonymous@teap.eap.arpa");
}

TEST_CASE("FLD-R4, TEAP-13a, TEAP-04a: the PKCS#10 is the first TLV of the Request-Action; CSR-Attributes "
          "are beside "
          "it, in it, or both")
{
    for (const auto place : {AttributesPlace::beside, AttributesPlace::nested, AttributesPlace::both}) {
        World world;
        world.server->csr_attributes = est::to_csrattrs;
        world.server->attributes_place = place;
        RawPeer raw{world};
        raw.say({raw.binding(), result_tlv(Status::success)});
        const auto action = *parse_request_action(*find(raw.heard, tlv_type::kRequestAction));
        CHECK(action.tlvs.front().type == tlv_type::kPkcs10);
        CHECK((find(action.tlvs, tlv_type::kCsrAttributes) != nullptr) == (place != AttributesPlace::beside));
        CHECK((find(raw.heard, tlv_type::kCsrAttributes) != nullptr) == (place != AttributesPlace::nested));

        std::optional<Bytes> seen;
        const auto make = world.peer.make_request;
        world.peer.make_request = [&](const auto& attributes, const auto& binding) {
            seen = attributes;
            return make(attributes, binding);
        };
        CHECK(talk(world).outcome == Outcome::accept);
        CHECK(seen);
    }
}
