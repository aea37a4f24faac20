#include <filesystem>
#include <fstream>

#include <stdlib.h>

#include "../teap/world.h"
#include "access/sessions.h"
#include "radius/packet.h"

using namespace acmetool;
namespace attribute = radius::attribute;

namespace
{

/// The relay's sessions with the registration authority of `world`, one client, and `rules` for
/// Access-Accept.
struct Relay {
    teap_test::World& world;
    std::string folder;
    base::Secret secret{"radius-secret"};
    std::unique_ptr<access::Sessions> sessions;
    radius::Authenticator asked{}; ///< of the request that was answered last

    Relay(teap_test::World& its_world, std::vector<access::AcceptRule> rules) : world(its_world)
    {
        std::string pattern = (std::filesystem::temp_directory_path() / "acmetool-teap-XXXXXX").string();
        folder = mkdtemp(pattern.data());
        std::ofstream{folder + "/secret"} << "radius-secret\n";
        access::Options config;
        config.clients = {{"192.0.2.7", folder + "/secret", {}}};
        config.accept = std::move(rules);
        config.settings = *world.server;
        auto made = access::Sessions::make(config, world.server_context(), world.authority, {});
        REQUIRE(made);
        sessions = std::move(*made);
    }
    ~Relay() { std::filesystem::remove_all(folder); }
    Relay(const Relay&) = delete;
    Relay& operator=(const Relay&) = delete;

    radius::Packet exchange(ByteView eap, const Bytes& state)
    {
        radius::Packet request;
        request.code = static_cast<std::uint8_t>(radius::Code::access_request);
        request.identifier = ++asked[0];
        request.authenticator = asked;
        radius::add_eap_message(request, eap);
        if (!state.empty()) request.add(attribute::kState, state);
        std::optional<Bytes> reply;
        sessions->take(*radius::encode_request(request, secret), {"192.0.2.7", 1000},
                       [&](Bytes octets) { reply = std::move(octets); });
        REQUIRE(reply);
        return *radius::parse_packet(*reply);
    }
    /// The device's conversation up to its Access-Accept.
    radius::Packet log_in(teap::PeerResult& result)
    {
        teap::PeerSession peer{world.peer, world.peer_context(), world.verifier()};
        Bytes eap = teap::EapPacket{teap::EapCode::response, 1, teap::eap_type::kIdentity, {'a'}}.encode();
        Bytes state;
        for (int rounds = 0; rounds < 100; ++rounds) {
            auto packet = exchange(eap, state);
            const auto next = peer.handle(*radius::eap_message(packet));
            REQUIRE(next);
            if (packet.code != static_cast<std::uint8_t>(radius::Code::access_challenge)) {
                CHECK(packet.code == static_cast<std::uint8_t>(radius::Code::access_accept));
                result = peer.result();
                return packet;
            }
            REQUIRE(*next);
            eap = **next;
            state = *packet.find(attribute::kState);
        }
        FAIL("the conversation does not end");
        return {};
    }
};

/// Of an attribute that is not there, nothing.
Bytes value(const radius::Packet& packet, std::uint8_t type)
{
    const auto* found = packet.find(type);
    return found == nullptr ? Bytes{} : *found;
}

std::string text(const radius::Packet& packet, std::uint8_t type)
{
    return std::string{as_text(value(packet, type))};
}

} // namespace

TEST_CASE(
    "RAD-05: an Access-Accept has the peer's MSK in its two keys, and what the first rule that fits says")
{
    teap_test::World world;
    Relay relay{world,
                {{"other*", {}, "10", "", std::chrono::seconds{0}},
                 {"", true, "20", "guests", std::chrono::hours{1}},
                 {"", {}, "30", "", std::chrono::seconds{0}}}};
    teap::PeerResult peer;
    auto accept = relay.log_in(peer);
    const auto keys = radius::mppe_keys(accept, relay.secret, relay.asked);
    REQUIRE(keys);
    auto msk = keys->recv;
    msk.insert(msk.end(), keys->send.begin(), keys->send.end());
    CHECK(msk.size() == 64);
    CHECK(msk == peer.keys.msk);
    CHECK(text(accept, attribute::kUserName) == "a");
    CHECK(value(accept, attribute::kTunnelType) == Bytes{0, 0, 0, 13});
    CHECK(value(accept, attribute::kTunnelMediumType) == Bytes{0, 0, 0, 6});
    CHECK(text(accept, attribute::kTunnelPrivateGroupId) == "20");
    CHECK(text(accept, attribute::kFilterId) == "guests");
    CHECK(value(accept, attribute::kSessionTimeout) == Bytes{0, 0, 0x0e, 0x10});

    // The certificate that it has got gets in by the last rule.
    REQUIRE(peer.certificate);
    relay.world.device = {relay.world.new_key, *peer.certificate};
    accept = relay.log_in(peer);
    CHECK(text(accept, attribute::kTunnelPrivateGroupId) == "30");
    CHECK(accept.find(attribute::kFilterId) == nullptr);
    CHECK(accept.find(attribute::kSessionTimeout) == nullptr);

    teap_test::World fresh;
    Relay without{fresh, {{"other*", {}, "10", "", std::chrono::seconds{0}}}};
    accept = without.log_in(peer);
    CHECK(accept.find(attribute::kTunnelType) == nullptr);
    CHECK(accept.find(attribute::kTunnelPrivateGroupId) == nullptr);
}

TEST_CASE(
    "SEC-14, RAD-05: [[accept]] goes by the record of the device, not by the subject of its certificate")
{
    teap_test::World world;
    const auto vlan_of = [&](std::vector<access::AcceptRule> rules) {
        Relay relay{world, std::move(rules)};
        teap::PeerResult peer;
        return text(relay.log_in(peer), attribute::kTunnelPrivateGroupId);
    };
    const auto rule = [](const std::string& device, const std::string& vlan) {
        access::AcceptRule made;
        made.device = device;
        made.vlan = vlan;
        return made;
    };
    const std::vector rules{rule("ADMIN-1", "1"), rule("D-1", "20"), rule("", "30")};
    CHECK(vlan_of(rules) == "20"); // by its manufacturer's certificate

    const auto key = *crypto::generate_key("ec:P-256");
    const auto& ca = world.authority.intermediate;
    world.device = {key,
                    test::make_certificate(key, "d-1.example", "ADMIN-1", ca.key, "Intermediate", false)};
    world.authority.issued.push_back(world.device.certificate);
    CHECK(vlan_of(rules) == "20");
    CHECK(vlan_of({rule("ADMIN-1", "1")}).empty());
    CHECK(vlan_of({rule("d-1.*", "40")}) == "40"); // by its name
}
