#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>
#include <vector>

#include <doctest/doctest.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "access/sessions.h"
#include "radius/packet.h"
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
    std::unique_ptr<access::Sessions> sessions;
    std::vector<radius::Packet> recorded;
    std::vector<access::Sessions::Ended> ended;
    std::vector<std::string> drops; ///< "CAUSE ADDRESS TIMES"
    /// What the sessions asked for.
    struct Timer {
        std::chrono::steady_clock::time_point when;
        std::function<void()> task;
    };
    std::vector<Timer> timers;
    std::uint8_t next = 0;

    explicit Server(const std::function<void(access::Options&)>& change = {})
    {
        std::string pattern = (std::filesystem::temp_directory_path() / "acmetool-teap-XXXXXX").string();
        folder = mkdtemp(pattern.data());
        std::ofstream{folder + "/secret"} << "radius-secret\n";
        access::Options config;
        config.clients = {{"192.0.2.0/24", folder + "/secret", {}}, {"2001:db8::1", folder + "/secret", {}}};
        if (change) change(config);
        auto made = access::Sessions::make(
            config, *crypto::TlsContext::make(crypto::Side::server, {}), authority,
            [this](const auto& one) { ended.push_back(one); }, nullptr,
            [this](const radius::Packet& packet, const auto&) { recorded.push_back(packet); },
            [this](auto when, auto task) {
                timers.push_back({when, std::move(task)});
            },
            {},
            [this](access::Sessions::Drop cause, const auto& source, std::uint64_t times) {
                drops.push_back(std::string{access::Sessions::name_of(cause)} + " " + source.address + " " +
                                std::to_string(times));
            });
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

Bytes without_message_authenticator(Bytes octets)
{
    octets.erase(octets.begin() + 20, octets.begin() + 38); // it comes first
    octets[2] = static_cast<std::uint8_t>(octets.size() >> 8U);
    octets[3] = static_cast<std::uint8_t>(octets.size());
    return octets;
}

/// An Accounting-Request with its Request Authenticator (RFC 2866 section 3).
Bytes accounting_request(std::uint8_t identifier, std::string_view secret)
{
    Bytes octets{4, identifier, 0, 26};
    octets.resize(radius::kHeaderSize);
    octets.insert(octets.end(), {attribute::kAcctStatusType, 6, 0, 0, 0, 1});
    auto keyed = octets;
    keyed.insert(keyed.end(), secret.begin(), secret.end());
    EVP_Digest(keyed.data(), keyed.size(), octets.data() + 4, nullptr, EVP_md5(), nullptr);
    return octets;
}

constexpr auto kAccept = static_cast<std::uint8_t>(radius::Code::access_accept);
constexpr auto kReject = static_cast<std::uint8_t>(radius::Code::access_reject);
constexpr auto kChallenge = static_cast<std::uint8_t>(radius::Code::access_challenge);

} // namespace

TEST_CASE("RAD-02a, RAD-02b, RAD-03b: packets without a right Message-Authenticator or from unknown clients "
          "get no answer")
{
    Server server;
    const auto good = *radius::encode_request(server.identity(), server.secret);
    CHECK_FALSE(server.send_octets(good, "198.51.100.1"));
    CHECK_FALSE(server.send_octets(good, "2001:db8::2"));
    CHECK_FALSE(server.send_octets(*radius::encode_request(server.identity(), base::Secret{"wrong"})));
    CHECK_FALSE(server.send_octets(without_message_authenticator(good)));
    CHECK_FALSE(server.send_octets({1, 2, 3}));
    CHECK(server.sessions->open() == 0);
    for (const auto* client : {"2001:db8::1", "192.0.2.7"}) {
        const auto answer = server.send_octets(good, client);
        REQUIRE(answer);
        const auto asked = radius::parse_packet(good)->authenticator;
        CHECK(radius::has_valid_message_authenticator(*answer, server.secret, asked));
        CHECK_FALSE(radius::has_valid_message_authenticator(*answer, base::Secret{"wrong"}, asked));
    }
}

TEST_CASE("RAD-04b: a repeated request gets the same octets and opens no second conversation")
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

TEST_CASE("RAD-04a: a State counts once, from where it was given to, and not if it is made up")
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
    // A response to another EAP request is discarded, and the conversation goes on.
    auto other = nak;
    ++other[1];
    const auto again = server.send(server.request(other, &state));
    REQUIRE(again);
    CHECK(again->code == kChallenge);
    CHECK(*again->find(attribute::kState) == state);
    const auto rejected = server.send(server.request(nak, &state));
    REQUIRE(rejected);
    CHECK(rejected->code == kReject);
    CHECK(*radius::eap_message(*rejected) == Bytes{4, eap[1], 0, 4});
    CHECK(server.send(server.request(nak, &state))->code == kReject); // replayed
    CHECK(server.sessions->counters().at("refused_state_unknown") == 1);
    CHECK(server.sessions->open() == 0);
}

TEST_CASE("SEC-10: a device that begins again and again has eight conversations; the oldest gives way")
{
    Server server{[](auto& config) { config.sessions = 20; }};
    const auto begin = [&](const char* station) {
        auto packet = server.identity();
        if (*station != 0) packet.add(attribute::kCallingStationId, as_bytes(station));
        const auto reply = server.send(packet);
        return reply ? *reply->find(attribute::kState) : Bytes{};
    };
    const auto first = begin("02-00-00-00-00-01");
    for (int i = 0; i < 7; ++i)
        CHECK_FALSE(begin("02-00-00-00-00-01").empty());
    CHECK(server.sessions->open() == 8);
    CHECK(server.ended.empty());
    for (int i = 0; i < 20; ++i)
        CHECK_FALSE(begin("02-00-00-00-00-01").empty());
    CHECK(server.sessions->open() == 8);
    CHECK(server.sessions->counters().at("replaced") == 20);
    REQUIRE(server.ended.size() == 20);
    CHECK(server.ended[0].end == access::Sessions::End::abandoned);
    CHECK(server.ended[0].summary.text.starts_with("abandoned for another one of the same device while"));
    const teap::EapPacket nak{teap::EapCode::response, 1, teap::eap_type::kNak, {25}};
    CHECK(server.send(server.request(nak.encode(), &first))->code == kReject); // its State is unknown
    // Others are not touched, nor who is not named.
    for (int i = 0; i < 3; ++i)
        CHECK_FALSE(begin("02-00-00-00-00-02").empty());
    for (int i = 0; i < 9; ++i)
        CHECK_FALSE(begin("").empty());
    CHECK(server.sessions->open() == 20);
    // Where there is no room at all, one that has its share begins in the place of its oldest.
    CHECK(begin("02-00-00-00-00-02").empty());
    CHECK_FALSE(begin("02-00-00-00-00-01").empty());
    CHECK(server.sessions->open() == 20);
}

TEST_CASE("A conversation is open until its last answer is sent, so that the end of the server waits "
          "for it")
{
    Server server;
    const auto challenge = server.send(server.identity());
    REQUIRE(challenge);
    const auto state = *challenge->find(attribute::kState);
    const auto eap = *radius::eap_message(*challenge);
    const Bytes nak = teap::EapPacket{teap::EapCode::response, eap[1], teap::eap_type::kNak, {25}}.encode();
    const auto octets = *radius::encode_request(server.request(nak, &state), server.secret);
    std::size_t open = 0;
    std::uint8_t code = 0;
    server.sessions->take(octets, {"192.0.2.7", 1000}, [&](const Bytes& answer) {
        open = server.sessions->open();
        code = answer[0];
    });
    CHECK(code == kReject);
    CHECK(open == 1);
    CHECK(server.sessions->open() == 0);
    server.sessions->drain(std::chrono::seconds{0});
}

TEST_CASE(
    "RAD-03a, SEC-10: Proxy-State comes back in order, conversations are capped, drained ones not begun")
{
    Server server{[](access::Options& config) { config.sessions = 2; }};
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
    other.sessions->drain(std::chrono::seconds{0});
    CHECK_FALSE(other.send(other.identity()));
}

TEST_CASE("RAD-03b: of the clients that an address belongs to, the narrowest counts")
{
    Server server{[](access::Options& config) {
        const auto file = config.clients.front().secret_file;
        const auto other = file + "-other";
        std::ofstream{other} << "other";
        config.clients = {{"0.0.0.0/0", other, {}}, {"192.0.2.7", file, {}}, {"192.0.2.0/24", other, {}}};
    }};
    const auto octets = *radius::encode_request(server.identity(), server.secret);
    CHECK(server.send_octets(octets, "192.0.2.7"));
    CHECK_FALSE(server.send_octets(octets, "192.0.2.8"));
}

TEST_CASE("RAD-03b: clients that cannot be used are configuration errors")
{
    const auto refused = [](const std::string& address, const std::string& file) {
        Nobody authority;
        access::Options config;
        config.clients = {{address, file, {}}};
        const auto made = access::Sessions::make(config, *crypto::TlsContext::make(crypto::Side::server, {}),
                                                 authority, {});
        return !made && made.error().code == Errc::config;
    };
    CHECK(refused("nas.example", "/dev/null"));
    CHECK(refused("192.0.2.0/33", "/dev/null"));
    CHECK(refused("192.0.2.7/24", "/dev/null")); // which of the two is meant?
    CHECK(refused("192.0.2.1", "/does/not/exist"));
    CHECK(refused("192.0.2.1", "/dev/null"));
}

TEST_CASE("RAD-07, FLD-R1: passwords, MAC addresses and EAP that makes no sense are rejected, never met with "
          "silence")
{
    Server server;
    const auto rejection = [&](const Bytes& octets) {
        const auto reply = server.send_octets(octets);
        if (!reply) return false;
        const auto asked = radius::parse_packet(octets)->authenticator;
        CHECK(radius::has_valid_response_authenticator(*reply, server.secret, asked));
        CHECK(radius::has_valid_message_authenticator(*reply, server.secret, asked));
        CHECK((*reply)[20] == attribute::kMessageAuthenticator); // first, so that no collision can be planned
        const auto packet = *radius::parse_packet(*reply);
        CHECK(packet.find(attribute::kEapMessage) == nullptr);
        CHECK(packet.find(attribute::kProxyState) != nullptr);
        return packet.code == kReject;
    };
    auto mab = server.request({});
    mab.add(attribute::kUserName, as_bytes("001122334455"));
    mab.add(attribute::kProxyState, as_bytes("proxy"));
    const auto octets = *radius::encode_request(mab, server.secret);
    CHECK(rejection(octets));
    CHECK(rejection(octets)); // nothing is kept of it
    CHECK(rejection(without_message_authenticator(octets)));
    CHECK_FALSE(server.send_octets(*radius::encode_request(mab, base::Secret{"wrong"})));
    CHECK_FALSE(server.send_octets(octets, "198.51.100.1"));
    CHECK(server.sessions->counters().at("refused_no_eap") == 3);
    CHECK(server.sessions->open() == 0);

    auto torn = server.identity(); // EAP-Message attributes that are not consecutive
    torn.add(attribute::kUserName, as_bytes("a"));
    torn.add(attribute::kEapMessage, Bytes{1});
    const auto torn_reply = server.send(torn);
    REQUIRE(torn_reply);
    CHECK(torn_reply->code == kReject);
    CHECK(server.sessions->counters().at("refused_eap_message") == 1);

    // An EAP-Request, an EAP-Response of another method, and no EAP at all.
    for (const Bytes& eap : {Bytes{1, 7, 0, 5, 1}, Bytes{2, 7, 0, 6, 13, 0}, Bytes{9, 7}}) {
        const auto reply = server.send(server.request(eap));
        REQUIRE(reply);
        CHECK(reply->code == kReject);
        CHECK(*radius::eap_message(*reply) == Bytes{4, 7, 0, 4});
    }
    CHECK(server.sessions->counters().at("invalid_eap") == 2);
    CHECK(server.sessions->open() == 0);
}

TEST_CASE("RAD-07, FLD-R1: a response to another EAP-Request is asked for again, five times at most (RFC "
          "3579 section 2.2)")
{
    Server server;
    const auto challenge = server.send(server.identity());
    REQUIRE(challenge);
    const auto state = *challenge->find(attribute::kState);
    const auto eap = *radius::eap_message(*challenge);
    const Bytes stray =
        teap::EapPacket{teap::EapCode::response, static_cast<std::uint8_t>(eap[1] + 1), 55, {}}.encode();
    for (int i = 0; i < 4; ++i) {
        const auto again = server.send(server.request(stray, &state));
        REQUIRE(again);
        CHECK(again->code == kChallenge);
        CHECK(*again->find(attribute::kState) == state);
        CHECK(*again->find(attribute::kErrorCause) == Bytes{0, 0, 0, 202});
        CHECK(*radius::eap_message(*again) == eap);
        CHECK(server.sessions->open() == 1);
    }
    const auto last = server.send(server.request(stray, &state));
    REQUIRE(last);
    CHECK(last->code == kReject);
    CHECK(server.sessions->open() == 0);
    CHECK(server.sessions->counters().at("rejects") == 1);
}

TEST_CASE("RAD-08, FLD-R1: Status-Server is answered while the server takes conversations (RFC 5997)")
{
    Server server;
    radius::Packet status;
    status.code = 12;
    status.identifier = 9;
    status.authenticator[3] = 1;
    const auto reply = server.send(status);
    REQUIRE(reply);
    CHECK(reply->code == kAccept);
    CHECK(reply->identifier == 9);
    CHECK(reply->find(attribute::kEapMessage) == nullptr);
    CHECK(reply->find(attribute::kVendorSpecific) == nullptr);
    const auto octets = *radius::encode_request(status, server.secret);
    CHECK_FALSE(server.send_octets(without_message_authenticator(octets)));
    CHECK_FALSE(server.send_octets(*radius::encode_request(status, base::Secret{"wrong"})));
    CHECK_FALSE(server.send_octets(octets, "198.51.100.1"));
    CHECK(server.sessions->counters().at("status_server") == 1);
    CHECK(server.sessions->counters().at("dropped_message_authenticator") == 2);
    server.sessions->drain(std::chrono::seconds{0});
    CHECK_FALSE(server.send(status));
}

TEST_CASE(
    "RAD-07, FLD-R1: Accounting-Requests are answered once they are recorded (RFC 2866), other codes never")
{
    Server server;
    const auto octets = accounting_request(3, "radius-secret");
    const auto reply = server.send_octets(octets);
    REQUIRE(reply);
    const auto packet = *radius::parse_packet(*reply);
    CHECK(packet.code == 5);
    CHECK(packet.identifier == 3);
    CHECK(packet.attributes.empty());
    CHECK(radius::has_valid_response_authenticator(*reply, server.secret,
                                                   radius::parse_packet(octets)->authenticator));
    REQUIRE(server.recorded.size() == 1);
    CHECK(*server.recorded.front().find(attribute::kAcctStatusType) == Bytes{0, 0, 0, 1});
    CHECK(server.send_octets(octets) == reply); // a repeat is not recorded again
    CHECK(server.recorded.size() == 1);
    CHECK_FALSE(server.send_octets(accounting_request(4, "wrong")));
    CHECK(server.recorded.size() == 1);
    CHECK(server.sessions->counters().at("accounting") == 1);
    CHECK(server.sessions->counters().at("dropped_request_authenticator") == 1);

    auto unknown = server.identity();
    unknown.code = 43; // CoA-Request
    CHECK_FALSE(server.send(unknown));
    CHECK(server.sessions->counters().at("dropped_code") == 1);

    Nobody authority;
    access::Options config;
    config.clients = {{"192.0.2.7", server.folder + "/secret", {}}};
    const auto silent =
        access::Sessions::make(config, *crypto::TlsContext::make(crypto::Side::server, {}), authority, {});
    REQUIRE(silent);
    bool answered = false;
    (*silent)->take(octets, {"192.0.2.7", 1000}, [&](const Bytes&) { answered = true; });
    CHECK_FALSE(answered);
}

TEST_CASE("RAD-04a, RAD-04b: conversations and answers that are kept expire by one timer, which nothing "
          "needs when idle")
{
    const auto begun = std::chrono::steady_clock::now();
    Server server;
    CHECK(server.timers.empty());
    const auto octets = *radius::encode_request(server.identity(), server.secret);
    REQUIRE(server.send_octets(octets));
    REQUIRE(server.send(server.identity()));
    REQUIRE(server.timers.size() == 1);
    const auto after = server.timers[0].when - begun;
    CHECK(after >= std::chrono::seconds{30}); // the answer, which is kept shorter than the conversation
    CHECK(after < std::chrono::seconds{60});
    // Too early: all stays, and is looked at again.
    server.timers[0].task();
    CHECK(server.sessions->open() == 2);
    CHECK(server.send_octets(octets));
    CHECK(server.sessions->counters().at("repeats") == 1);
    REQUIRE(server.timers.size() == 2);
    CHECK(server.timers[1].when == server.timers[0].when);

    Server hasty{[](access::Options& config) {
        config.session_life = std::chrono::seconds{0};
        config.repeat = std::chrono::seconds{0};
    }};
    REQUIRE(hasty.send_octets(octets));
    REQUIRE(hasty.timers.size() == 1);
    hasty.timers[0].task();
    CHECK(hasty.sessions->open() == 0);
    CHECK(hasty.sessions->counters().at("expired") == 1);
    CHECK(hasty.timers.size() == 1);
    const auto again = hasty.send_octets(octets); // a new conversation
    CHECK(again);
    CHECK(hasty.sessions->counters().at("repeats") == 0);
    CHECK(hasty.timers.size() == 2);
}

TEST_CASE("Draining returns when the last conversation ends, or after its limit")
{
    Server server{[](access::Options& config) { config.session_life = std::chrono::seconds{0}; }};
    const auto begun = std::chrono::steady_clock::now();
    server.sessions->drain(std::chrono::minutes{10}); // none
    Server busy{[](access::Options& config) { config.session_life = std::chrono::seconds{0}; }};
    REQUIRE(busy.send(busy.identity()));
    busy.sessions->drain(std::chrono::seconds{0});
    CHECK(busy.sessions->open() == 1);
    std::thread later{[&] {
        std::this_thread::sleep_for(std::chrono::milliseconds{20});
        busy.timers.at(0).task();
    }};
    busy.sessions->drain(std::chrono::minutes{10});
    CHECK(busy.sessions->open() == 0);
    later.join();
    CHECK(std::chrono::steady_clock::now() - begun < std::chrono::minutes{5});
}

TEST_CASE("RAD-03b: other clients count once what prepare() returned is called; after an error none do")
{
    Server server;
    const auto octets = *radius::encode_request(server.identity(), server.secret);
    const auto context = *crypto::TlsContext::make(crypto::Side::server, {});
    access::Options other;
    other.clients = {{"198.51.100.1", server.folder + "/secret", {}}};
    const auto use = server.sessions->prepare(other, context);
    REQUIRE(use);
    CHECK_FALSE(server.send_octets(octets, "198.51.100.1"));
    (*use)();
    CHECK(server.send_octets(octets, "198.51.100.1"));
    CHECK_FALSE(server.send_octets(octets, "192.0.2.7"));
    other.clients.push_back({"192.0.2.7", "/does/not/exist", {}});
    CHECK_FALSE(server.sessions->prepare(other, context).has_value());
    CHECK_FALSE(server.send_octets(octets, "192.0.2.7"));
}

TEST_CASE(
    "FLD-R5, RAD-13: packets that get no answer are told with cause and address, once a minute for each")
{
    Server server;
    const auto wrong = [&] { return *radius::encode_request(server.identity(), base::Secret{"wrong"}); };
    for (int i = 0; i < 100; ++i)
        server.send_octets(wrong());
    CHECK(server.drops == std::vector<std::string>{"message_authenticator 192.0.2.7 1"});
    server.send_octets(wrong(), "192.0.2.8");
    server.send_octets({1, 2, 3}, "198.51.100.1");
    server.send_octets({1, 2, 3});
    CHECK(server.drops.size() == 4);
    CHECK(server.drops[1] == "message_authenticator 192.0.2.8 1");
    CHECK(server.drops[2] == "unknown_client 198.51.100.1 1");
    CHECK(server.drops[3] == "malformed 192.0.2.7 1");
    CHECK(server.sessions->counters().at("dropped_message_authenticator") == 101);
    // Packets with forged addresses do not make it remember without end.
    for (int i = 0; i < 3'000; ++i)
        server.send_octets({1}, "2001:db8:1::" + std::to_string(i));
    CHECK(server.drops.size() == 1'000);
}

TEST_CASE("FLD-R5: a conversation that nobody goes on with is told, with its port and what it waited for")
{
    Server server{[](access::Options& config) { config.session_life = std::chrono::seconds{0}; }};
    auto packet = server.identity();
    packet.add(attribute::kNasIdentifier, as_bytes("switch 7"));
    packet.add(attribute::kNasPort, 12);
    packet.add(attribute::kCallingStationId, as_bytes("02-00-00-00-00-01"));
    REQUIRE(server.send(packet));
    server.timers.at(0).task();
    REQUIRE(server.ended.size() == 1);
    const auto& ended = server.ended.front();
    CHECK(ended.end == access::Sessions::End::abandoned);
    CHECK(ended.summary.text == "abandoned while the server waited for an answer to the TEAP Start");
    CHECK(ended.port.nas == "switch 7");
    CHECK(ended.port.port == "12");
    CHECK(ended.port.station == "02-00-00-00-00-01");
    CHECK(ended.source.address == "192.0.2.7");
    CHECK(ended.request_id.size() == 16);
}
