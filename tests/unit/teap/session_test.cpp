#include "crypto/cms.h"
#include "ra/mapping.h"
#include "world.h"

using namespace acmetool;
using namespace acmetool::teap_test;

TEST_CASE("TEAP-04a, TEAP-06, TEAP-09a: the seed's half-turns, under TLS 1.2 and 1.3, with the same keys at "
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
    "TEAP-01b: both orders, both derivations and both sources of the MSK give the same keys at both ends")
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
                CHECK(other.peer_error->reason.word() == "cryptoBinding");
            }
}

TEST_CASE("TEAP-05c: a peer that declines ends as the Request-Action's status says, and may ask by itself")
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

TEST_CASE("FLD-E11: a peer whose certificate expired is accepted only after it renewed")
{
    for (const auto order : {Order::binding_first, Order::binding_last})
        for (const auto policy : {AskPolicy::needed, AskPolicy::always}) {
            World world;
            world.server->order = order;
            world.server->ask = policy;
            world.server->request_status = Status::success;
            world.server->cert_only = true;
            world.device = signed_by(world.authority.intermediate, "Intermediate", "d-1.example", "");
            world.authority.issued.push_back(world.device.certificate);
            world.authority.expired = true;
            const auto renewed = talk(world);
            CHECK(renewed.outcome == Outcome::accept);
            CHECK(renewed.summary.enrolled);
            CHECK(world.authority.enrolments == 1);

            world.peer.make_request = {};
            const auto declined = talk(world);
            CHECK(declined.outcome == Outcome::reject);
            CHECK(declined.peer.errors == std::vector<std::uint32_t>{1020});
            world.authority.expired = false;
            CHECK(talk(world).outcome == Outcome::accept);
        }
    World none;
    none.server->ask = AskPolicy::never;
    none.server->cert_only = true;
    none.device = signed_by(none.authority.intermediate, "Intermediate", "d-1.example", "");
    none.authority.issued.push_back(none.device.certificate);
    CHECK(talk(none).outcome == Outcome::accept);
    none.authority.expired = true;
    const auto refused = talk(none);
    CHECK(refused.outcome == Outcome::reject);
    CHECK(refused.peer.errors == std::vector<std::uint32_t>{1020});
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

TEST_CASE("FLD-R8: outer TLVs are left out where the first message of a side would be in fragments")
{
    const auto first = [](std::size_t peer_size, std::size_t server_size, std::size_t authority_id) {
        World world;
        world.peer.fragment_size = peer_size;
        world.server->fragment_size = server_size;
        world.server->authority_id.assign(authority_id, 'a');
        std::vector<Frame> frames; // of server and peer
        std::size_t size = 0;
        const auto done = talk(world, [&](bool by_peer, int number, Bytes& eap) {
            if (number != 1) return;
            frames.push_back(*parse_frame(parse_eap(eap)->data));
            if (by_peer) size = eap.size();
        });
        CHECK(done.outcome == Outcome::accept);
        CHECK(same_keys(done));
        REQUIRE(frames.size() == 2);
        return std::tuple{frames[0], frames[1], size};
    };
    const auto [start, whole, size] = first(4096, 1020, 4);
    CHECK(start.outer_tlv_length == 8);
    CHECK(whole.outer_tlv_length == 6);
    CHECK_FALSE(whole.more);
    const auto exact = std::get<1>(first(size, 1020, 4));
    CHECK(exact.outer_tlv_length == 6);
    CHECK_FALSE(exact.more);
    const auto without = std::get<1>(first(size - 1, 1020, 4));
    CHECK_FALSE(without.outer_tlv_length);
    CHECK_FALSE(without.more); // it fits now
    const auto fragment = std::get<1>(first(100, 1020, 4));
    CHECK_FALSE(fragment.outer_tlv_length);
    CHECK(fragment.more);
    const auto small = std::get<0>(first(1020, 124, 253));
    CHECK(small.start);
    CHECK_FALSE(small.outer_tlv_length);
    CHECK_FALSE(small.more);
    CHECK(small.data.empty());
}

TEST_CASE(
    "TRC-01a: the trace of a conversation has the device's certificate, and a NAS's question as inferred")
{
    World world;
    for (const bool by_nas : {true, false}) {
        std::vector<Shown> shown;
        ServerSession server{world.server,
                             world.server_context(),
                             world.authority,
                             "192.0.2.1",
                             "id",
                             nullptr,
                             [&shown](const Shown& one) { shown.push_back(one); }};
        PeerSession peer{world.peer, world.peer_context(), world.verifier()};
        Bytes eap;
        if (by_nas) eap = EapPacket{EapCode::response, 1, eap_type::kIdentity, {'a'}}.encode();
        for (bool over = false; !over;) {
            Answer answer;
            REQUIRE(server.handle(eap, 0, [&](Answer one) { answer = std::move(one); }));
            const auto next = peer.handle(answer.eap);
            REQUIRE(next);
            over = answer.outcome != Outcome::proceed;
            if (*next) eap = **next;
        }
        CHECK(shown.front().text == "EAP-Request/Identity");
        CHECK(shown.front().inferred == by_nas);
        CHECK(shown.front().device.empty());
        CHECK(shown[1].text.starts_with("EAP-Response/Identity"));
        CHECK_FALSE(shown[1].inferred);
        CHECK(shown.back().text == "EAP-Success");
        CHECK(shown.back().device == enrol::holder_of({world.device.certificate}));
    }
}

TEST_CASE("TEAP-07a, TEAP-18: refusals become the draft's error codes, and nothing is accepted")
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

TEST_CASE("TEAP-08a, TEAP-08b, TEAP-08c: what the CA says becomes the draft's error codes")
{
    const auto error_of = [](const std::string& problem) {
        Error error;
        error.code = Errc::refused;
        error.problem_type = "urn:ietf:params:acme:error:" + problem;
        error.problem = R"({"type":")" + error.problem_type + "\"}";
        World world;
        world.authority.decision = ra::refusal_of(error);
        const auto done = talk(world);
        CHECK(done.outcome == Outcome::reject);
        return done.peer.errors;
    };
    using Codes = std::vector<std::uint32_t>;
    CHECK(error_of("badCSR") == Codes{1025});
    CHECK(error_of("caa") == Codes{1025});
    CHECK(error_of("rejectedIdentifier") == Codes{1024});
    for (const auto* other : {"unauthorized", "serverInternal", "rateLimited", "connection", "malformed"}) {
        CAPTURE(other);
        CHECK(error_of(other) == Codes{1026});
    }
}

TEST_CASE("TEAP-04b, TEAP-05b: the Request-Action has the status that is set, and a peer that declines "
          "returns it")
{
    for (const auto status : {Status::failure, Status::success}) {
        World world;
        world.server->request_status = status;
        RawPeer raw{world};
        raw.say({raw.binding(), result_tlv(Status::success)});
        const auto* const action = find(raw.heard, tlv_type::kRequestAction);
        REQUIRE(action != nullptr);
        CHECK(parse_request_action(*action)->status == status);

        world.peer.make_request = {};
        RawServer server{world};
        server.bind();
        server.say({request_action_tlv(status, {{false, tlv_type::kPkcs10, {}}})});
        CHECK(server.heard == Tlvs{result_tlv(status)});
    }
}

TEST_CASE("TEAP-05a, TEAP-09b, TEAP-10a: the PKCS#10 is DER, the PKCS#7 certs-only, and the root in a TLV of "
          "its own")
{
    World world;
    RawServer server{world};
    server.bind();
    server.say({request_action_tlv(Status::failure, {{false, tlv_type::kPkcs10, {}}})});
    const auto* const asked = find(server.heard, tlv_type::kPkcs10);
    REQUIRE(asked != nullptr);
    const auto csr = crypto::parse_csr(as_text(asked->value));
    REQUIRE(csr);
    CHECK(csr->der == asked->value);
    CHECK(csr->key.same_public_key(world.new_key));

    RawPeer raw{world};
    raw.say({raw.binding(), result_tlv(Status::success)});
    raw.say({raw.pkcs10(), trusted_server_root_tlv({})});
    const auto* const issued = find(raw.heard, tlv_type::kPkcs7);
    REQUIRE(issued != nullptr);
    const auto chain = crypto::parse_certs_only(issued->value);
    REQUIRE(chain);
    REQUIRE(chain->size() == 2);
    const auto& ca = world.authority;
    CHECK(std::any_of(chain->begin(), chain->end(),
                      [&](const auto& one) { return one.der() == ca.issued.back().der(); }));
    CHECK(std::any_of(chain->begin(), chain->end(),
                      [&](const auto& one) { return one.der() == ca.intermediate.certificate.der(); }));
    const auto* const answer = find(raw.heard, tlv_type::kTrustedServerRoot);
    REQUIRE(answer != nullptr);
    const auto inside = parse_trusted_server_root(*answer);
    REQUIRE(inside);
    REQUIRE(inside->has_value());
    const auto roots = crypto::parse_certs_only(**inside);
    REQUIRE(roots);
    REQUIRE(roots->size() == 1);
    CHECK(roots->front().der() == ca.root.certificate.der());
}

TEST_CASE("TEAP-10b: Trusted-Server-Root has the anchor of the server's certificate, too, once")
{
    World world;
    world.server->own_anchors = {world.radius_ca.certificate, world.authority.root.certificate};
    world.peer.want_root = true;
    const auto done = talk(world);
    CHECK(done.outcome == Outcome::accept);
    std::vector<Bytes> roots;
    for (const auto& one : done.peer.roots)
        roots.push_back(one.der());
    std::vector<Bytes> expected{world.authority.root.certificate.der(), world.radius_ca.certificate.der()};
    std::sort(roots.begin(), roots.end());
    std::sort(expected.begin(), expected.end());
    CHECK(roots == expected);
}

TEST_CASE("TEAP-12a, TEAP-12c: the request has tls-unique of a TLS 1.2 tunnel, and nothing of a TLS 1.3 one")
{
    for (const std::string version : {"1.2", "1.3"}) {
        CAPTURE(version);
        World world;
        world.max_version = version;
        std::optional<crypto::ChannelBinding> given;
        const auto make = world.peer.make_request;
        world.peer.make_request = [&](const auto& attributes, const auto& binding) {
            given = binding;
            return make(attributes, binding);
        };
        CHECK(talk(world).outcome == Outcome::accept);
        REQUIRE(given.has_value() == (version == "1.2"));
        if (given) CHECK(given->type == "tls-unique");
        CHECK(world.authority.binding ==
              (version == "1.2" ? enrol::Binding::matches : enrol::Binding::absent));
    }
}

TEST_CASE("TEAP-14b: past the wait the peer is told when to come back")
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

TEST_CASE("TEAP-02a, SEC-01, SEC-02: nobody, strangers and another issuer's certificate stay outside")
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

TEST_CASE("SEC-21: a device that was not authenticated stays outside, whatever else its authority tells")
{
    World world;
    world.authority.recognises = false;
    const auto talked = talk(world);
    CHECK(talked.outcome == Outcome::reject);
    CHECK(talked.summary.error == error_code::kClientCertificateRejected);
    CHECK(talked.summary.names.empty());
    CHECK(world.authority.enrolments == 0);
}

TEST_CASE("TEAP-02b: a peer trusts no server that its anchors do not lead to")
{
    for (const std::string version : {"1.2", "1.3"}) {
        World world;
        world.max_version = version;
        const auto other = self_signed("Radius CA");
        world.radius = signed_by(other, "Radius CA", "radius", "");
        const auto done = talk(world);
        CHECK(done.outcome == Outcome::reject);
        REQUIRE(done.peer_error);
        CHECK(done.peer_error->reason.word() == "path");
        CHECK_FALSE(done.peer.accepted);
        CHECK(done.summary.text.find("alert") != std::string::npos);
        CHECK(world.authority.enrolments == 0);
    }
}

TEST_CASE("TEAP-01a: any octet changed on the way, in any packet, ends in reject")
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

TEST_CASE(
    "TEAP-01a: a version rolled back, a Start of the peer's, outer TLVs added or taken away are refused")
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

TEST_CASE("TEAP-01b: an EAP-Success in clear text means nothing before the protected one")
{
    for (int packet = 0; packet < 4; ++packet) {
        World world;
        const auto done = talk(world, [packet](bool by_peer, int number, Bytes& eap) {
            if (!by_peer && number == packet) eap = EapPacket{EapCode::success, eap[1], 0, {}}.encode();
        });
        CHECK_FALSE(done.peer.accepted);
    }
}

TEST_CASE("RAD-04a: a response to another request is discarded, other EAP types and Nak end in Failure")
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
