#include <filesystem>
#include <fstream>

#include <stdlib.h>

#include "../teap/world.h"
#include "access/reply_attribute.h"
#include "access/sessions.h"
#include "base/octets.h"
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
    radius::Authenticator asked{};         ///< of the request that was answered last
    std::vector<radius::Attribute> more{}; ///< of each request
    std::size_t longest = 0;               ///< EAP packet of the server
    std::vector<access::Sessions::Ended> ended{};
    std::vector<std::function<void()>> timers{};

    Relay(teap_test::World& its_world, std::vector<access::AcceptRule> rules,
          access::UserName user_name = access::UserName::authenticated,
          std::chrono::seconds life = std::chrono::minutes{1})
        : world(its_world)
    {
        std::string pattern = (std::filesystem::temp_directory_path() / "acmetool-teap-XXXXXX").string();
        folder = mkdtemp(pattern.data());
        std::ofstream{folder + "/secret"} << "radius-secret\n";
        access::Options config;
        config.clients = {{"192.0.2.7", folder + "/secret", {}}};
        config.accept = std::move(rules);
        config.user_name = user_name;
        config.session_life = life;
        config.settings = *world.server;
        auto made = access::Sessions::make(
            config, world.server_context(), world.authority,
            [this](const auto& one) { ended.push_back(one); }, nullptr, {},
            [this](auto, auto task) { timers.push_back(std::move(task)); });
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
        for (const auto& one : more)
            request.add(one.type, one.value);
        std::optional<Bytes> reply;
        sessions->take(*radius::encode_request(request, secret), {"192.0.2.7", 1000},
                       [&](Bytes octets) { reply = std::move(octets); });
        REQUIRE(reply);
        CHECK(radius::has_valid_response_authenticator(*reply, secret, asked));
        CHECK(radius::has_valid_message_authenticator(*reply, secret, asked));
        return *radius::parse_packet(*reply);
    }
    /// The device's conversation up to its Access-Accept.
    radius::Packet log_in(teap::PeerResult& result, const std::string& outer = "a")
    {
        teap::PeerSession peer{world.peer, world.peer_context(), world.verifier()};
        Bytes eap =
            teap::EapPacket{
                teap::EapCode::response, 1, teap::eap_type::kIdentity, {outer.begin(), outer.end()}}
                .encode();
        Bytes state;
        for (int rounds = 0; rounds < 100; ++rounds) {
            auto packet = exchange(eap, state);
            longest = std::max(longest, radius::eap_message(packet)->size());
            const auto next = peer.handle(*radius::eap_message(packet));
            REQUIRE(next);
            // The keys and EAP-Success come together.
            const bool last = packet.code == static_cast<std::uint8_t>(radius::Code::access_accept);
            CHECK((teap::parse_eap(*radius::eap_message(packet))->code == teap::EapCode::success) == last);
            CHECK(radius::mppe_keys(packet, secret, asked).has_value() == last);
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

TEST_CASE("RAD-05a, RAD-05b: an Access-Accept has the peer's MSK in its two keys, and what the first rule "
          "that fits says")
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
    CHECK(text(accept, attribute::kUserName) == "d-1.example");
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
    "SEC-14, RAD-09: [[accept]] goes by the record of the device, not by the subject of its certificate")
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

TEST_CASE(
    "FLD-R6, RAD-09: each attribute of [[accept]] is in the packet; the NAS asks again after Session-Timeout")
{
    teap_test::World world;
    access::AcceptRule rule;
    rule.session_timeout = std::chrono::minutes{10};
    for (const auto* one : {"Class=blue", "Reply-Message = welcome", "Idle-Timeout=60",
                            "Cisco-AVPair=shell:priv-lvl=1", "25=0x00ff", "26.14823.1=guest"}) {
        CAPTURE(one);
        const auto parsed = access::parse_reply_attribute(one);
        REQUIRE(parsed);
        rule.attributes.push_back(*parsed);
    }
    Relay relay{world, {rule}};
    teap::PeerResult peer;
    const auto accept = relay.log_in(peer);
    CHECK(value(accept, attribute::kSessionTimeout) == Bytes{0, 0, 2, 0x58});
    CHECK(value(accept, attribute::kTerminationAction) == Bytes{0, 0, 0, 1});
    CHECK(text(accept, attribute::kClass) == "blue");
    CHECK(accept.count(attribute::kClass) == 2);
    CHECK(text(accept, attribute::kReplyMessage) == "welcome");
    CHECK(value(accept, attribute::kIdleTimeout) == Bytes{0, 0, 0, 60});
    std::vector<Bytes> vendors;
    for (const auto& one : accept.attributes)
        if (one.type == attribute::kVendorSpecific && base::number32(one.value) != 311)
            vendors.push_back(one.value);
    REQUIRE(vendors.size() == 2);
    const Bytes cisco{0, 0, 0, 9, 1, 18};
    CHECK(std::equal(cisco.begin(), cisco.end(), vendors[0].begin()));
    CHECK(as_text(ByteView{vendors[0]}.subspan(6)) == "shell:priv-lvl=1");
    const Bytes aruba{0, 0, 0x39, 0xe7, 1, 7, 'g', 'u', 'e', 's', 't'};
    CHECK(vendors[1] == aruba);

    rule.reauthenticate = false;
    Relay ends{world, {rule}};
    CHECK(ends.log_in(peer).find(attribute::kTerminationAction) == nullptr);
}

TEST_CASE("RAD-07: an Access-Accept that would be longer than a packet is a Reject, and counted as one")
{
    teap_test::World world;
    access::AcceptRule rule;
    rule.attributes.assign(20, {18, Bytes(250, 'x')});
    Relay relay{world, {rule}};
    teap::PeerSession peer{world.peer, world.peer_context(), world.verifier()};
    Bytes eap = teap::EapPacket{teap::EapCode::response, 1, teap::eap_type::kIdentity, {'a'}}.encode();
    Bytes state;
    radius::Packet reply;
    for (int rounds = 0; rounds < 100; ++rounds) {
        reply = relay.exchange(eap, state);
        if (reply.code != static_cast<std::uint8_t>(radius::Code::access_challenge)) break;
        eap = **peer.handle(*radius::eap_message(reply));
        state = *reply.find(attribute::kState);
    }
    CHECK(reply.code == static_cast<std::uint8_t>(radius::Code::access_reject));
    CHECK(teap::parse_eap(*radius::eap_message(reply))->code == teap::EapCode::failure);
    CHECK(relay.sessions->counters().at("rejects") == 1);
    CHECK(relay.sessions->counters().at("accepts") == 0);
    CHECK(relay.sessions->counters().at("too_large") == 1);
}

TEST_CASE("FLD-R5: of a device that was refused and says nothing more, the event has the cause")
{
    teap_test::World world;
    world.authority.recognises = false;
    Relay relay{world, {}, access::UserName::authenticated, std::chrono::seconds{0}};
    teap::PeerSession peer{world.peer, world.peer_context(), world.verifier()};
    Bytes eap = teap::EapPacket{teap::EapCode::response, 1, teap::eap_type::kIdentity, {'a'}}.encode();
    Bytes state;
    while (peer.result().errors.empty()) {
        const auto reply = relay.exchange(eap, state);
        REQUIRE(reply.code == static_cast<std::uint8_t>(radius::Code::access_challenge));
        const auto next = peer.handle(*radius::eap_message(reply));
        if (next && *next) eap = **next;
        state = *reply.find(attribute::kState);
    }
    for (const auto& task : std::exchange(relay.timers, {}))
        task();
    REQUIRE(relay.ended.size() == 1);
    CHECK(relay.ended[0].end == access::Sessions::End::rejected);
    CHECK(relay.ended[0].summary.error == 1020);
    CHECK(relay.ended[0].summary.text.starts_with("the certificate was issued neither by"));
    CHECK(relay.ended[0].summary.text.ends_with("; the peer did not answer"));
}

TEST_CASE("FLD-R6: attributes that are none, or that the server sets itself, are refused")
{
    for (const auto* wrong : {"Class", "Class=", "Colour=blue", "Idle-Timeout=soon", "User-Name=a", "24=0x00",
                              "79=x", "26=x", "26.0.1=x", "26.311.16=0x00", "Class=0xzz", "300=1"}) {
        CAPTURE(wrong);
        CHECK_FALSE(access::parse_reply_attribute(wrong));
    }
    CHECK_FALSE(access::parse_reply_attribute("Class=" + std::string(254, 'x')));
    CHECK_FALSE(access::parse_reply_attribute("Cisco-AVPair=" + std::string(248, 'x')));
}

TEST_CASE("FLD-R6, RAD-09: Chargeable-User-Identity goes to a NAS that asks for it, the same for a device "
          "each time (RFC 4372)")
{
    teap_test::World world;
    Relay relay{world, {}};
    teap::PeerResult peer;
    CHECK(relay.log_in(peer).find(attribute::kChargeableUserIdentity) == nullptr);
    relay.more = {{attribute::kChargeableUserIdentity, {0}}};
    const auto first = text(relay.log_in(peer), attribute::kChargeableUserIdentity);
    CHECK(first.size() == 64);
    CHECK(first.find("D-1") == std::string::npos);
    CHECK(text(relay.log_in(peer), attribute::kChargeableUserIdentity) == first);
}

TEST_CASE("RAD-06, RAD-10: the server's EAP packets are fragments as long as the NAS's Framed-MTU permits")
{
    const auto longest = [](std::uint32_t mtu) {
        teap_test::World world;
        Relay relay{world, {}};
        if (mtu != 0)
            relay.more = {{attribute::kFramedMtu,
                           {0, 0, static_cast<std::uint8_t>(mtu >> 8U), static_cast<std::uint8_t>(mtu)}}};
        teap::PeerResult peer;
        relay.log_in(peer);
        return relay.longest;
    };
    const auto free = longest(0);
    CHECK(free > 500);
    CHECK(free <= 1020);
    for (const std::uint32_t mtu : {200U, 300U, 500U}) {
        CAPTURE(mtu);
        CHECK(longest(mtu) <= mtu);
        CHECK(longest(mtu) > mtu - 20);
    }
    CHECK(longest(1400) > 500);
    CHECK(longest(1400) <= 1020); // no longer than what is set
}

TEST_CASE("SEC-26, RAD-11: User-Name is the device's name, whatever the peer says it is called")
{
    const auto user_of = [](const std::string& outer, access::UserName which) {
        teap_test::World world;
        Relay relay{world, {}, which};
        teap::PeerResult peer;
        const auto accept = relay.log_in(peer, outer);
        CHECK((accept.find(attribute::kUserName) == nullptr) == text(accept, attribute::kUserName).empty());
        return text(accept, attribute::kUserName);
    };
    using access::UserName;
    CHECK(user_of("ceo@corp.example", UserName::authenticated) == "d-1.example");
    CHECK(user_of("", UserName::authenticated) == "d-1.example");
    CHECK(user_of("ceo@corp.example", UserName::outer) == "ceo@corp.example");
    for (const auto* odd : {"", "a\nb", "a\x1b[2J", "\xff\xfe"})
        CHECK(user_of(odd, UserName::outer).empty());
    CHECK(user_of(std::string(300, 'a'), UserName::outer).size() == 253);
}

TEST_CASE("SEC-20, RAD-09: [[accept]] can name the manufacturer, for the certificate issued later as well")
{
    teap_test::World world;
    world.authority.manufacturer = "one";
    const auto vlan_of = [&](const std::string& manufacturer) {
        access::AcceptRule rule;
        rule.device = "D-1";
        rule.manufacturer = manufacturer;
        rule.vlan = "20";
        Relay relay{world, {rule}};
        teap::PeerResult peer;
        return text(relay.log_in(peer), attribute::kTunnelPrivateGroupId);
    };
    CHECK(vlan_of("one") == "20");
    CHECK(vlan_of("two").empty());
    CHECK(vlan_of("") == "20");
}
