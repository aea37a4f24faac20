#include <filesystem>
#include <fstream>

#include <doctest/doctest.h>
#include <stdlib.h>

#include "radius/packet.h"
#include "relay/teap_sessions.h"
#include "teap/eap.h"

using namespace acmetool;
namespace attribute = radius::attribute;

namespace
{

class Nobody final : public enrol::RegistrationAuthority
{
public:
    void enrol(enrol::EnrolRequest, std::function<void(enrol::Decision)> done) override
    {
        done(enrol::Refused{});
    }
    void csr_attributes(enrol::Peer, const std::string&,
                        std::function<void(enrol::AttributesDecision)> done) override
    {
        done(enrol::Refused{});
    }
    std::optional<std::vector<crypto::Certificate>> ca_certificates(const std::string&) override
    {
        return std::nullopt;
    }
};

struct Server {
    Nobody authority;
    std::string folder;
    base::Secret secret{"radius-secret"};
    std::unique_ptr<relay::TeapSessions> sessions;
    std::uint8_t next = 0;

    explicit Server(const std::function<void(relay::TeapConfig&)>& change = {})
    {
        std::string pattern = (std::filesystem::temp_directory_path() / "acmetool-teap-XXXXXX").string();
        folder = mkdtemp(pattern.data());
        std::ofstream{folder + "/secret"} << "radius-secret\n";
        relay::TeapConfig config;
        config.clients = {{"192.0.2.0/24", folder + "/secret", {}}, {"2001:db8::1", folder + "/secret", {}}};
        if (change) change(config);
        auto made = relay::TeapSessions::make(config, *crypto::TlsContext::make(crypto::Side::server, {}),
                                              authority, {});
        REQUIRE(made);
        sessions = std::move(*made);
    }
    ~Server() { std::filesystem::remove_all(folder); }
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    radius::Packet request(ByteView eap, const Bytes* state = nullptr)
    {
        radius::Packet packet;
        packet.code = static_cast<std::uint8_t>(radius::Code::access_request);
        packet.identifier = ++next;
        packet.authenticator[0] = next;
        radius::add_eap_message(packet, eap);
        if (state != nullptr) packet.add(attribute::kState, *state);
        return packet;
    }
    radius::Packet identity()
    {
        const teap::EapPacket eap{teap::EapCode::response, 1, teap::eap_type::kIdentity, {'a'}};
        return request(eap.encode());
    }
    std::optional<Bytes> send_octets(const Bytes& octets, const std::string& from = "192.0.2.7",
                                     std::uint16_t port = 1000) const
    {
        std::optional<Bytes> reply;
        sessions->take(octets, {from, port}, [&](Bytes answer) { reply = std::move(answer); });
        return reply;
    }
    std::optional<radius::Packet> send(const radius::Packet& packet, const std::string& from = "192.0.2.7")
    {
        const auto reply = send_octets(*radius::encode_request(packet, secret), from);
        if (!reply) return std::nullopt;
        CHECK(radius::has_valid_response_authenticator(*reply, secret, packet.authenticator));
        CHECK(radius::has_valid_message_authenticator(*reply, secret, packet.authenticator));
        return *radius::parse_packet(*reply);
    }
};

constexpr auto kReject = static_cast<std::uint8_t>(radius::Code::access_reject);
constexpr auto kChallenge = static_cast<std::uint8_t>(radius::Code::access_challenge);

} // namespace

TEST_CASE(
    "RAD-02, RAD-03: packets without a right Message-Authenticator or from unknown clients get no answer")
{
    Server server;
    const auto good = *radius::encode_request(server.identity(), server.secret);
    CHECK_FALSE(server.send_octets(good, "198.51.100.1"));
    CHECK_FALSE(server.send_octets(good, "2001:db8::2"));
    CHECK_FALSE(server.send_octets(*radius::encode_request(server.identity(), base::Secret{"wrong"})));
    auto missing = good;
    missing.erase(missing.begin() + 20, missing.begin() + 38);
    missing[3] = static_cast<std::uint8_t>(missing.size());
    CHECK_FALSE(server.send_octets(missing));
    CHECK_FALSE(server.send_octets({1, 2, 3}));
    CHECK(server.sessions->open() == 0);
    CHECK(server.send_octets(good, "2001:db8::1"));
    CHECK(server.send_octets(good));
}

TEST_CASE("RAD-04: a repeated request gets the same octets and opens no second conversation")
{
    Server server;
    const auto octets = *radius::encode_request(server.identity(), server.secret);
    const auto first = server.send_octets(octets);
    REQUIRE(first);
    CHECK(server.send_octets(octets) == first);
    CHECK(server.sessions->open() == 1);
    CHECK(server.sessions->counters().at("repeats") == 1);
    const auto elsewhere = server.send_octets(octets, "192.0.2.7", 1001); // another port is another request
    REQUIRE(elsewhere);
    CHECK(*elsewhere != *first);
}

TEST_CASE("RAD-04: a State counts once, from where it was given to, and not if it is made up")
{
    Server server;
    const auto challenge = server.send(server.identity());
    REQUIRE(challenge);
    CHECK(challenge->code == kChallenge);
    const auto state = *challenge->find(attribute::kState);
    CHECK(state.size() == 20);
    const auto eap = *radius::eap_message(*challenge);
    const Bytes nak = teap::EapPacket{teap::EapCode::response, eap[1], teap::eap_type::kNak, {25}}.encode();
    const auto elsewhere = server.send(server.request(nak, &state), "192.0.2.8");
    REQUIRE(elsewhere);
    CHECK(elsewhere->code == kReject);
    const Bytes made_up(20);
    CHECK(server.send(server.request(nak, &made_up))->code == kReject);
    // A response to another EAP request is discarded in silence, and the conversation goes on.
    auto other = nak;
    ++other[1];
    CHECK_FALSE(server.send(server.request(other, &state)));
    const auto rejected = server.send(server.request(nak, &state));
    REQUIRE(rejected);
    CHECK(rejected->code == kReject);
    CHECK(*radius::eap_message(*rejected) == Bytes{4, eap[1], 0, 4});
    CHECK(server.send(server.request(nak, &state))->code == kReject); // replayed
    CHECK(server.sessions->counters().at("refused_state_unknown") == 1);
    CHECK(server.sessions->open() == 0);
}

TEST_CASE("RAD-03, SEC-10: Proxy-State comes back in order, conversations are capped, drained ones not begun")
{
    Server server{[](relay::TeapConfig& config) { config.sessions = 2; }};
    auto request = server.identity();
    request.add(attribute::kProxyState, as_bytes("first"));
    request.add(attribute::kProxyState, as_bytes("second"));
    const auto challenge = server.send(request);
    REQUIRE(challenge);
    std::vector<std::string> states;
    for (const auto& one : challenge->attributes)
        if (one.type == attribute::kProxyState) states.emplace_back(as_text(one.value));
    CHECK(states == std::vector<std::string>{"first", "second"});
    CHECK(server.send(server.identity()));
    CHECK_FALSE(server.send(server.identity()));
    CHECK(server.sessions->open() == 2);
    CHECK(server.sessions->counters().at("refused_over_limit") == 1);
    Server other;
    other.sessions->drain();
    CHECK_FALSE(other.send(other.identity()));
}

TEST_CASE("RAD-03: of the clients that an address belongs to, the narrowest counts")
{
    Server server{[](relay::TeapConfig& config) {
        const auto file = config.clients.front().secret_file;
        const auto other = file + "-other";
        std::ofstream{other} << "other";
        config.clients = {{"0.0.0.0/0", other, {}}, {"192.0.2.7", file, {}}, {"192.0.2.0/24", other, {}}};
    }};
    const auto octets = *radius::encode_request(server.identity(), server.secret);
    CHECK(server.send_octets(octets, "192.0.2.7"));
    CHECK_FALSE(server.send_octets(octets, "192.0.2.8"));
}

TEST_CASE("RAD-03: clients that cannot be used are configuration errors")
{
    const auto refused = [](const std::string& address, const std::string& file) {
        Nobody authority;
        relay::TeapConfig config;
        config.clients = {{address, file, {}}};
        const auto made = relay::TeapSessions::make(
            config, *crypto::TlsContext::make(crypto::Side::server, {}), authority, {});
        return !made && made.error().code == Errc::config;
    };
    CHECK(refused("nas.example", "/dev/null"));
    CHECK(refused("192.0.2.0/33", "/dev/null"));
    CHECK(refused("192.0.2.7/24", "/dev/null")); // which of the two is meant?
    CHECK(refused("192.0.2.1", "/does/not/exist"));
    CHECK(refused("192.0.2.1", "/dev/null"));
}
