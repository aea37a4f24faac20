#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "../ra/fixture.h"
#include "crypto/path.h"
#include "teap/fragments.h"
#include "teap/peer.h"
#include "teap/server.h"

using namespace acmetool;
using namespace acmetool::teap;

namespace
{

struct Party {
    crypto::Key key;
    crypto::Certificate certificate;
};

Party self_signed(const std::string& name)
{
    auto key = *crypto::generate_key("ec:P-256");
    auto certificate = test::make_certificate(key, name, "", key, name, true);
    return {std::move(key), std::move(certificate)};
}

Party signed_by(const Party& ca, const std::string& ca_name, const std::string& name,
                const std::string& serial, bool is_ca = false)
{
    auto key = *crypto::generate_key("ec:P-256");
    auto certificate = test::make_certificate(key, name, serial, ca.key, ca_name, is_ca);
    return {std::move(key), std::move(certificate)};
}

/// Knows device "D-1", whose name is d-1.example, and the certificates that it issued.
class Authority final : public enrol::RegistrationAuthority
{
public:
    void enrol(enrol::EnrolRequest request, std::function<void(enrol::Decision)> done) override
    {
        ++enrolments;
        binding = request.binding;
        if (decision) {
            done(*decision);
            return;
        }
        if (request.csr.identifiers != std::vector<crypto::Identifier>{{"dns", "d-1.example"}}) {
            done(enrol::Refused{enrol::Refusal::bad_identity, "not the device's name", {}});
            return;
        }
        issued.push_back(test::make_certificate(request.csr.key, "d-1.example", "", intermediate.key,
                                                "Intermediate", false));
        done(enrol::Issued{issued.back()});
    }
    void csr_attributes(enrol::Peer peer, const std::string&,
                        std::function<void(enrol::AttributesDecision)> done) override
    {
        enrol::CsrAttributes attributes;
        const auto der = peer.certificates.front().der();
        attributes.issued_here =
            std::any_of(issued.begin(), issued.end(), [&](const auto& one) { return one.der() == der; });
        const bool device = peer.certificates.front().subject().find("D-1") != std::string::npos &&
                            der == known.certificate.der();
        attributes.key_type = key_type;
        if (attributes.issued_here || device) attributes.identifiers = {{"dns", "d-1.example"}};
        done(attributes);
    }
    std::optional<std::vector<crypto::Certificate>> ca_certificates(const std::string&) override
    {
        return std::vector{root.certificate, intermediate.certificate};
    }

    Party root = self_signed("Root");
    Party intermediate = signed_by(root, "Root", "Intermediate", "", true);
    Party maker = self_signed("Maker");
    Party known = signed_by(maker, "Maker", "device", "D-1");
    std::vector<crypto::Certificate> issued;
    std::optional<enrol::Decision> decision;
    std::string key_type;
    int enrolments = 0;
    enrol::Binding binding = enrol::Binding::absent;
};

struct World {
    Authority authority;
    Party radius_ca = self_signed("Radius CA");
    Party radius = signed_by(radius_ca, "Radius CA", "radius", "");
    std::shared_ptr<ServerSettings> server = std::make_shared<ServerSettings>();
    PeerSettings peer;
    std::string max_version = "1.3";
    Party device = authority.known;
    bool shows_certificate = true;
    std::string asks_for = "d-1.example";
    crypto::Key new_key = *crypto::generate_key("ec:P-256");
    std::vector<std::string> shown;

    World()
    {
        peer.make_request = [this](const std::optional<Bytes>&,
                                   const std::optional<crypto::ChannelBinding>& binding) {
            crypto::CsrOptions options;
            options.identifiers = {{"dns", asks_for}};
            if (binding) options.challenge_password = binding->to_base64();
            return crypto::build_csr(new_key, options);
        };
        peer.show = [this](const Shown& one) { shown.push_back((one.by_peer ? "> " : "< ") + one.text); };
    }
    crypto::TlsContext server_context() const
    {
        crypto::TlsSettings settings;
        settings.chain = {radius.certificate};
        settings.key = radius.key;
        return *crypto::TlsContext::make(crypto::Side::server, settings);
    }
    crypto::TlsContext peer_context() const
    {
        crypto::TlsSettings settings;
        settings.max_version = max_version;
        if (shows_certificate) {
            settings.chain = {device.certificate};
            settings.key = device.key;
        }
        return *crypto::TlsContext::make(crypto::Side::client, settings);
    }
    crypto::TlsEngine::Verifier verifier() const
    {
        return [this](const std::vector<crypto::Certificate>& chain) -> Result<void> {
            auto path = crypto::verify_path(chain.front(), {chain.begin() + 1, chain.end()},
                                            {{radius_ca.certificate}, "", false});
            if (!path) return fail(path.error());
            return {};
        };
    }
};

struct Talk {
    Outcome outcome = Outcome::proceed;
    Answer last;
    Summary summary;
    PeerResult peer;
    std::optional<Error> peer_error;
    int rounds = 0;
};

/// Tampering with what passes: may change the packet in place. `by_peer`, number of the packet.
using Tamper = std::function<void(bool, int, Bytes&)>;

Talk talk(World& world, const Tamper& tamper = {})
{
    ServerSession server{world.server, world.server_context(), world.authority, "192.0.2.1", "id"};
    PeerSession peer{world.peer, world.peer_context(), world.verifier()};
    Talk result;
    Bytes eap;
    while (result.rounds < 100) {
        Answer answer;
        bool answered = false;
        if (!server.handle(eap, 0, [&](Answer one) {
                answer = std::move(one);
                answered = true;
            }))
            break;
        REQUIRE(answered);
        result.outcome = answer.outcome;
        result.last = answer;
        if (tamper) tamper(false, result.rounds, answer.eap);
        auto next = peer.handle(answer.eap);
        if (!next) {
            result.peer_error = next.error();
            next = peer.last_words();
        }
        if (answer.outcome != Outcome::proceed || !*next) break;
        eap = **next;
        if (tamper) tamper(true, result.rounds, eap);
        ++result.rounds;
    }
    result.summary = server.summary();
    result.peer = peer.result();
    return result;
}

bool same_keys(const Talk& talk)
{
    return !talk.last.keys.msk.empty() && talk.last.keys.msk == talk.peer.keys.msk &&
           talk.last.keys.emsk == talk.peer.keys.emsk;
}

} // namespace

TEST_CASE("TEAP-04, TEAP-06, TEAP-09: the seed's half-turns, under TLS 1.2 and 1.3, with the same keys at "
          "both ends")
{
    for (const std::string version : {"1.2", "1.3"}) {
        CAPTURE(version);
        World world;
        world.max_version = version;
        world.peer.want_root = true;
        const auto done = talk(world);
        CHECK(done.outcome == Outcome::accept);
        CHECK_FALSE(done.peer_error);
        CHECK(done.peer.accepted);
        CHECK(done.peer.tls == "TLSv" + version);
        CHECK(*done.peer.kdf == (version == "1.2" ? Kdf::rfc7170 : Kdf::rfc9427));
        CHECK(same_keys(done));
        REQUIRE(done.peer.certificate);
        CHECK(done.peer.certificate->public_key().same_public_key(world.new_key));
        CHECK(done.peer.certificates.size() == 2); // with the intermediate, without the root
        REQUIRE(done.peer.roots.size() == 1);
        CHECK(done.peer.roots[0].der() == world.authority.root.certificate.der());
        CHECK(done.summary.enrolled);
        CHECK(done.summary.serial_number == "D-1");
        CHECK(world.authority.binding ==
              (version == "1.2" ? enrol::Binding::matches : enrol::Binding::absent));
        std::vector<std::string> phase_2;
        for (const auto& line : world.shown)
            if (line.find('{') != std::string::npos || line.find("EAP-S") != std::string::npos)
                phase_2.push_back(line.substr(0, line.find(" (")));
        REQUIRE(phase_2.size() == 7);
        CHECK(phase_2[0] == "< {Crypto-Binding");
        CHECK(phase_2[1] == "> {Crypto-Binding");
        CHECK(phase_2[2] == "< {Request-Action(Status=Failure, Action=Process-TLV: PKCS#10)}");
        CHECK(phase_2[3] == "> {PKCS#10");
        CHECK(phase_2[4] == "< {PKCS#7");
        CHECK(phase_2[5] == "> {Result=Success}");
        CHECK(phase_2[6] == "< EAP-Success");

        // What was issued gets in, and is not asked again.
        world.device = {world.new_key, *done.peer.certificate};
        const auto again = talk(world);
        CHECK(again.outcome == Outcome::accept);
        CHECK(again.peer.accepted);
        CHECK(same_keys(again));
        CHECK_FALSE(again.peer.asked);
        CHECK(again.summary.issued_here);
        CHECK(world.authority.enrolments == 1);
    }
}

TEST_CASE(
    "TEAP-01: both orders, both derivations and both sources of the MSK give the same keys at both ends")
{
    for (const auto order : {Order::binding_first, Order::binding_last})
        for (const auto kdf : {Kdf::rfc7170, Kdf::rfc9427})
            for (const auto source : {MskSource::imck1, MskSource::seed}) {
                World world;
                world.server->order = order;
                world.server->kdf = kdf;
                world.server->msk_no_inner = source;
                world.peer.msk_no_inner = source;
                const auto done = talk(world);
                CHECK(done.outcome == Outcome::accept);
                CHECK(done.peer.accepted);
                CHECK(*done.peer.kdf == kdf); // found out by trying
                CHECK(same_keys(done));
                world.peer.kdf = kdf == Kdf::rfc7170 ? Kdf::rfc9427 : Kdf::rfc7170;
                const auto other = talk(world);
                CHECK(other.outcome == Outcome::reject);
                REQUIRE(other.peer_error);
                CHECK(other.peer_error->reason == "cryptoBinding");
            }
}

TEST_CASE("TEAP-05: a peer that declines ends as the Request-Action's status says, and may ask by itself")
{
    World world;
    world.peer.make_request = {};
    CHECK(talk(world).outcome == Outcome::reject);
    world.server->request_status = Status::success;
    for (const auto order : {Order::binding_first, Order::binding_last}) {
        world.server->order = order;
        const auto declined = talk(world);
        CHECK(declined.outcome == Outcome::accept);
        CHECK(declined.peer.asked);
        CHECK_FALSE(declined.summary.enrolled);
    }
    CHECK(world.authority.enrolments == 0);

    World own;
    own.peer.request_enrolment = true;
    const auto done = talk(own);
    CHECK(done.outcome == Outcome::accept);
    CHECK(done.peer.certificate);
    CHECK_FALSE(done.peer.asked);
    own.server->ask = AskPolicy::never;
    CHECK(talk(own).outcome == Outcome::reject);
}

TEST_CASE("RAD-06: fragments both ways down to 100 octets")
{
    for (const std::size_t size : {100U, 300U}) {
        World world;
        world.server->fragment_size = size;
        world.peer.fragment_size = size;
        const auto done = talk(world);
        CHECK(done.outcome == Outcome::accept);
        CHECK(same_keys(done));
        CHECK(done.rounds > 10);
    }
}

TEST_CASE("TEAP-07, TEAP-08, TEAP-18: refusals become the draft's error codes, and nothing is accepted")
{
    using enrol::Refusal;
    const std::vector<std::pair<Refusal, std::uint32_t>> table{
        {Refusal::bad_identity, 1024}, {Refusal::bad_request, 1025},    {Refusal::pop_failed, 1025},
        {Refusal::internal, 1026},     {Refusal::unavailable, 1026},    {Refusal::too_many, 1026},
        {Refusal::forbidden, 1004},    {Refusal::unauthenticated, 1020}};
    for (const auto& [why, code] : table) {
        World world;
        world.authority.decision = enrol::Refused{why, "no", {}};
        const auto done = talk(world);
        CHECK(done.outcome == Outcome::reject);
        CHECK_FALSE(done.peer.accepted);
        REQUIRE(done.peer.errors.size() == 1);
        CHECK(done.peer.errors[0] == code);
        CHECK(done.peer.retry_after.has_value() == (why == Refusal::unavailable || why == Refusal::too_many));
        CHECK(done.last.keys.msk.empty());
    }
    World foreign;
    foreign.asks_for = "other.example";
    CHECK(talk(foreign).peer.errors == std::vector<std::uint32_t>{1024});
}

TEST_CASE("TEAP-14: past the wait the peer is told when to come back")
{
    World world;
    world.authority.decision = enrol::Pending{std::chrono::seconds{7}};
    const auto done = talk(world);
    CHECK(done.outcome == Outcome::reject);
    CHECK(done.peer.errors == std::vector<std::uint32_t>{1026});
    CHECK(*done.peer.retry_after == std::chrono::seconds{7});
    world.authority.decision.reset();
    CHECK(talk(world).outcome == Outcome::accept);
}

TEST_CASE("TEAP-02, SEC-01, SEC-02: nobody, strangers and another issuer's certificate stay outside")
{
    for (const std::string version : {"1.2", "1.3"}) {
        World nobody;
        nobody.max_version = version;
        nobody.shows_certificate = false;
        const auto without = talk(nobody);
        CHECK(without.outcome == Outcome::reject);
        CHECK(without.peer.errors == std::vector<std::uint32_t>{1019});

        World stranger;
        stranger.max_version = version;
        // Of the same CA, with the same names, but not issued by this RA.
        stranger.device = signed_by(stranger.authority.intermediate, "Intermediate", "d-1.example", "D-1");
        const auto refused = talk(stranger);
        CHECK(refused.outcome == Outcome::reject);
        CHECK(refused.peer.errors == std::vector<std::uint32_t>{1020});
        CHECK(stranger.authority.enrolments == 0);
    }
}

TEST_CASE("TEAP-02, TEAP-11: a peer trusts no server that its anchors do not lead to")
{
    for (const std::string version : {"1.2", "1.3"}) {
        World world;
        world.max_version = version;
        const auto other = self_signed("Radius CA");
        world.radius = signed_by(other, "Radius CA", "radius", "");
        const auto done = talk(world);
        CHECK(done.outcome == Outcome::reject);
        REQUIRE(done.peer_error);
        CHECK(done.peer_error->reason == "path");
        CHECK_FALSE(done.peer.accepted);
        CHECK(done.summary.text.find("alert") != std::string::npos);
        CHECK(world.authority.enrolments == 0);
    }
}

TEST_CASE("TEAP-01: any octet changed on the way, in any packet, ends in reject")
{
    for (const bool by_peer : {false, true})
        for (int packet = 1; packet < 7; ++packet) {
            World world;
            bool changed = false;
            const auto done = talk(world, [&](bool from_peer, int number, Bytes& eap) {
                if (from_peer != by_peer || number != packet || eap.size() < 12) return;
                eap[eap.size() - 3] ^= 0x10U;
                changed = true;
            });
            CAPTURE(by_peer);
            CAPTURE(packet);
            if (changed) {
                CHECK_FALSE(done.peer.accepted);
                // The Start is not protected before the Crypto-Binding covers it.
                CHECK(done.outcome != Outcome::accept);
            }
        }
}

TEST_CASE("TEAP-01: a version rolled back, a Start of the peer's, outer TLVs added or taken away are refused")
{
    World world;
    const auto flags_of_packet = [&](std::uint8_t flags) {
        return talk(world, [flags](bool by_peer, int number, Bytes& eap) {
            if (by_peer && number == 1) eap[5] = flags;
        });
    };
    CHECK(flags_of_packet(0x10).outcome == Outcome::reject);
    CHECK(flags_of_packet(0x12).outcome == Outcome::reject);
    CHECK(flags_of_packet(0x31).outcome == Outcome::reject);
    const auto stripped = talk(world, [](bool by_peer, int number, Bytes& eap) {
        if (!by_peer || number != 1) return;
        auto packet = *parse_eap(eap);
        auto frame = *parse_frame(packet.data);
        frame.data.resize(frame.data.size() - *frame.outer_tlv_length);
        frame.outer_tlv_length.reset();
        packet.data = frame.encode();
        eap = packet.encode();
    });
    CHECK(stripped.outcome == Outcome::reject);
    const auto other_authority = talk(world, [](bool by_peer, int number, Bytes& eap) {
        if (!by_peer && number == 1) eap.back() ^= 1U;
    });
    CHECK_FALSE(other_authority.peer.accepted);
    const auto old = talk(world, [](bool by_peer, int number, Bytes& eap) {
        if (!by_peer && number == 1) eap[5] &= 0xf8U;
    });
    REQUIRE(old.peer_error);
    CHECK_FALSE(old.peer.accepted);
}

TEST_CASE("TEAP-01: an EAP-Success in clear text means nothing before the protected one")
{
    for (int packet = 0; packet < 4; ++packet) {
        World world;
        const auto done = talk(world, [packet](bool by_peer, int number, Bytes& eap) {
            if (!by_peer && number == packet) eap = EapPacket{EapCode::success, eap[1], 0, {}}.encode();
        });
        CHECK_FALSE(done.peer.accepted);
    }
}

TEST_CASE("RAD-04: a response to another request is discarded, other EAP types and Nak end in Failure")
{
    World world;
    ServerSession server{world.server, world.server_context(), world.authority, "192.0.2.1", "id"};
    Answer answer;
    const auto take = [&](Answer one) { answer = std::move(one); };
    const EapPacket identity{EapCode::response, 9, eap_type::kIdentity, {'a'}};
    REQUIRE(server.handle(identity.encode(), 0, take));
    const auto start = *parse_eap(answer.eap);
    CHECK(start.type == eap_type::kTeap);
    CHECK(start.data[0] == 0x31);
    const auto other = static_cast<std::uint8_t>(start.identifier + 1);
    CHECK_FALSE(server.handle(EapPacket{EapCode::response, other, eap_type::kTeap, {1}}.encode(), 0, take));
    CHECK_FALSE(server.handle(EapPacket{EapCode::request, start.identifier, 55, {1}}.encode(), 0, take));
    CHECK_FALSE(server.handle({}, 0, take));
    REQUIRE(server.handle(EapPacket{EapCode::response, start.identifier, eap_type::kNak, {25}}.encode(), 0,
                          take));
    CHECK(answer.outcome == Outcome::reject);
    CHECK(answer.eap == Bytes{4, start.identifier, 0, 4});
    CHECK_FALSE(server.handle(identity.encode(), 0, take));
}

TEST_CASE("SEC-10: endless fragments and endless rounds end")
{
    World world;
    ServerSession server{world.server, world.server_context(), world.authority, "192.0.2.1", "id"};
    Answer answer;
    const auto take = [&](Answer one) { answer = std::move(one); };
    REQUIRE(server.handle(EapPacket{EapCode::response, 1, eap_type::kIdentity, {'a'}}.encode(), 0, take));
    Frame endless;
    endless.more = true;
    endless.data = Bytes(10);
    int sent = 0;
    while (answer.outcome == Outcome::proceed && sent < 1000) {
        REQUIRE(server.handle(EapPacket{EapCode::response, answer.eap[1], 55, endless.encode()}.encode(), 0,
                              take));
        ++sent;
    }
    CHECK(answer.outcome == Outcome::reject);
    CHECK(sent <= 200);
}

namespace
{

/// A peer that says in phase 2 what the test wants; it is the library's tunnel with other words.
struct RawPeer {
    World& world;
    ServerSession server;
    crypto::TlsEngine tls;
    Answer answer;
    std::optional<KeySchedule> keys;
    OuterTlvs outer;

    explicit RawPeer(World& from)
        : world(from), server(from.server, from.server_context(), from.authority, "192.0.2.1", "id"),
          tls(*crypto::TlsEngine::start(from.peer_context(), {}))
    {
        REQUIRE(server.handle(EapPacket{EapCode::response, 1, eap_type::kIdentity, {'a'}}.encode(), 0,
                              [this](Answer one) { answer = std::move(one); }));
        outer.server = encode({{false, tlv_type::kAuthorityId, world.server->authority_id}});
        while (!tls.established() || tls_output_left())
            say();
    }
    bool tls_output_left()
    {
        pending = tls.take_output();
        return !pending.empty();
    }
    Bytes pending;
    Tlvs heard;

    /// Sends what TLS has, takes what comes.
    void say()
    {
        if (pending.empty()) pending = tls.take_output();
        Fragmenter fragmenter;
        fragmenter.load({std::exchange(pending, {}), {}}, false, 4000);
        deliver(fragmenter.next());
    }
    void deliver(const Frame& frame)
    {
        REQUIRE(server.handle(EapPacket{EapCode::response, answer.eap[1], 55, frame.encode()}.encode(), 0,
                              [this](Answer one) { answer = std::move(one); }));
        if (answer.outcome != Outcome::proceed) return;
        const auto packet = *parse_eap(answer.eap);
        auto got = *parse_frame(packet.data);
        if (got.start) return;
        REQUIRE(tls.feed(got.data));
        const bool more = got.more;
        heard = *parse_tlvs(tls.take_data());
        if (more) deliver({});
    }
    void say(const Tlvs& tlvs)
    {
        REQUIRE(tls.send(encode(tlvs)));
        say();
    }
    Tlv binding()
    {
        keys = *KeySchedule::start(tls.version() == "TLSv1.3" ? Kdf::rfc9427 : Kdf::rfc7170,
                                   tls.hash_is_sha384() ? Hash::sha384 : Hash::sha256,
                                   [this](std::string_view label, std::optional<ByteView> context,
                                          std::size_t size) { return tls.export_key(label, context, size); });
        REQUIRE(keys->step({}, {}));
        const auto* tlv = find(heard, tlv_type::kCryptoBinding);
        REQUIRE(tlv != nullptr);
        return make_response(*keys, outer, *parse_crypto_binding(*tlv), 1)->encode();
    }
    Tlv pkcs10() { return {false, tlv_type::kPkcs10, world.peer.make_request({}, {})->der}; }
    std::uint32_t error()
    {
        const auto* tlv = find(heard, tlv_type::kError);
        const auto* result = find(heard, tlv_type::kResult);
        if (tlv == nullptr || result == nullptr || *parse_result(*result) != Status::failure) return 0;
        // Whatever is said after that, the end is EAP-Failure.
        const auto code = *parse_error(*tlv);
        say({result_tlv(Status::success)});
        CHECK(answer.outcome == Outcome::reject);
        return code;
    }
};

} // namespace

TEST_CASE("TEAP-02, TEAP-18: TLVs that break the rules of phase 2 end with the fitting error")
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

TEST_CASE("TEAP-18, TBR-08: an unknown mandatory TLV gets a NAK, an empty or broken PKCS#10 error 1025")
{
    World world;
    RawPeer peer{world};
    peer.say({{true, 777, {}}, peer.binding(), result_tlv(Status::success)});
    // The keys belong to the Crypto-Binding that was heard before.
    REQUIRE(peer.heard.size() == 1);
    CHECK(peer.heard[0] == nak_tlv(777));

    for (const Bytes& value : {Bytes{}, Bytes{0x30, 0x03, 0x02, 0x01, 0x00}}) {
        RawPeer bad{world};
        bad.say({bad.binding(), result_tlv(Status::success)});
        REQUIRE(find(bad.heard, tlv_type::kRequestAction) != nullptr);
        bad.say({{false, tlv_type::kPkcs10, value}});
        CHECK(bad.error() == 1025);
    }
    CHECK(world.authority.enrolments == 0);
}

TEST_CASE("TEAP-12: a CSR that was bound to another tunnel is told apart")
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

TEST_CASE("TEAP-08, TEAP-17: keys and extensions that nobody asked for are errors 1022 and 1023")
{
    World key;
    key.authority.key_type = "ec:P-384";
    CHECK(talk(key).peer.errors == std::vector<std::uint32_t>{1022});
    World extension;
    extension.peer.make_request = [&](const auto&, const auto&) {
        crypto::CsrOptions options;
        options.identifiers = {{"dns", extension.asks_for}};
        options.extensions = {{"1.2.3.4", false, {0x05, 0x00}}};
        return crypto::build_csr(extension.new_key, options);
    };
    CHECK(talk(extension).peer.errors == std::vector<std::uint32_t>{1023});
    CHECK(key.authority.enrolments + extension.authority.enrolments == 0);
}

TEST_CASE("TBR-07: the very same PKCS#10 comes again in the same tunnel, and no more than that")
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

TEST_CASE("TBR-09: numbers that nobody assigned can be set, and no others")
{
    BrskiNumbers numbers;
    CHECK(set_number(numbers, "request-voucher=0x2001"));
    CHECK(numbers.request_voucher == 0x2001);
    CHECK(set_number(numbers, "retry_new_tunnel = 2500"));
    for (const auto* bad : {"", "voucher", "voucher=16", "voucher=0x2001", "voucher=0x4000", "pkcs10=40",
                            "retry_same_tunnel=2500", "masa_refused=1024", "nai=1x"})
        CHECK_FALSE(set_number(numbers, bad));
}
