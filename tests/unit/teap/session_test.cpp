#include "world.h"

using namespace acmetool;
using namespace acmetool::teap_test;

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
                CHECK(other.peer_error->reason.word() == "cryptoBinding");
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
        CHECK(done.peer_error->reason.word() == "path");
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
