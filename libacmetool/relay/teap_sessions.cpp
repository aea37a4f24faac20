#include "relay/teap_sessions.h"

#include <algorithm>
#include <mutex>
#include <optional>

#include "base/octets.h"
#include "base/secret.h"
#include "base/text.h"
#include "crypto/request_info.h"
#include "http/address_range.h"
#include "radius/packet.h"
#include "store/atomic_file.h"

namespace acmetool::relay
{
namespace
{

using Clock = std::chrono::steady_clock;
using radius::Code;
namespace attribute = radius::attribute;

constexpr std::size_t kInstanceSize = 4;
constexpr std::size_t kStateSize = 20; ///< instance tag and 128 random bits
constexpr std::size_t kMostRepeats = 100'000;
constexpr std::uint32_t kChallengeTimeout = 30; ///< seconds that the NAS waits for the peer
constexpr std::uint32_t kVlan = 13;             ///< Tunnel-Type (RFC 3580 section 3.31)
constexpr std::uint32_t kIeee802 = 6;           ///< Tunnel-Medium-Type

struct Client {
    http::AddressRange addresses;
    std::shared_ptr<const base::Secret> secret;
    std::shared_ptr<const teap::ServerSettings> settings; ///< for conversations that come by it
};

/// What goes for conversations that begin now.
struct Setup {
    TeapConfig config;
    crypto::TlsContext context;
    std::vector<Client> clients; ///< the narrowest range first

    const Client* client_at(const std::string& address) const
    {
        const auto found = std::find_if(clients.begin(), clients.end(),
                                        [&](const Client& one) { return one.addresses.contains(address); });
        return found == clients.end() ? nullptr : &*found;
    }
};

Result<Client> read_client(const RadiusClient& from, const std::shared_ptr<const teap::ServerSettings>& usual)
{
    const auto wrong = [&](Error error) {
        error.code = Errc::config;
        error.reason = "badConfig";
        return fail(with_context(std::move(error), "[[client]] " + base::printable(from.address, 60)));
    };
    Client client;
    auto addresses = http::AddressRange::parse(from.address);
    if (!addresses) return wrong(std::move(addresses).error());
    client.addresses = *addresses;
    auto text = store::read_file(from.secret_file);
    if (!text) return wrong(std::move(text).error());
    while (text->ends_with('\n') || text->ends_with('\r'))
        text->pop_back();
    if (text->empty()) return fail(Errc::config, from.secret_file + " holds no secret", {}, "badConfig");
    client.secret = std::make_shared<base::Secret>(std::move(*text));
    client.settings = usual;
    if (from.kdf) {
        auto own = std::make_shared<teap::ServerSettings>(*usual);
        own->kdf = from.kdf;
        client.settings = std::move(own);
    }
    return client;
}

Result<std::shared_ptr<const Setup>> make_setup(TeapConfig config, crypto::TlsContext context)
{
    auto setup = std::make_shared<Setup>(Setup{std::move(config), std::move(context), {}});
    const auto usual = std::make_shared<const teap::ServerSettings>(setup->config.settings);
    for (const auto& one : setup->config.clients) {
        ACMETOOL_TRY(client, read_client(one, usual));
        setup->clients.push_back(std::move(client));
    }
    std::stable_sort(setup->clients.begin(), setup->clients.end(), [](const Client& a, const Client& b) {
        return a.addresses.length() > b.addresses.length();
    });
    return std::shared_ptr<const Setup>{std::move(setup)};
}

bool fits(const AcceptRule& rule, const teap::Summary& summary)
{
    if (rule.enrolled && *rule.enrolled != summary.enrolled) return false;
    if (rule.device.empty()) return true;
    const bool prefix = rule.device.ends_with('*');
    const auto wanted = std::string_view{rule.device}.substr(0, rule.device.size() - (prefix ? 1 : 0));
    const auto is = [&](const std::string& name) {
        return prefix ? name.starts_with(wanted) : name == wanted;
    };
    return is(summary.serial_number) || std::any_of(summary.names.begin(), summary.names.end(), is);
}

void add_rule(radius::Packet& packet, const AcceptRule& rule)
{
    if (!rule.vlan.empty()) {
        // RFC 2868: the first octet is the tag, 0 for the only tunnel there is.
        packet.add(attribute::kTunnelType, kVlan);
        packet.add(attribute::kTunnelMediumType, kIeee802);
        packet.add(attribute::kTunnelPrivateGroupId, as_bytes(rule.vlan));
    }
    if (!rule.filter_id.empty()) packet.add(attribute::kFilterId, as_bytes(rule.filter_id));
    if (rule.session_timeout.count() > 0)
        packet.add(attribute::kSessionTimeout, static_cast<std::uint32_t>(rule.session_timeout.count()));
}

} // namespace

struct TeapSessions::Impl : std::enable_shared_from_this<TeapSessions::Impl> {
    /// Source, port, Identifier and authenticator of a request (RFC 5080 section 2.2.2).
    using RequestKey = Bytes;
    struct Repeat {
        Clock::time_point at;
        std::optional<Bytes> answer; ///< none: still being made
    };
    struct Session {
        std::unique_ptr<teap::ServerSession> eap;
        std::shared_ptr<const Setup> setup;
        std::string address;
        Clock::time_point used;
    };
    /// One request on its way.
    struct Exchange {
        RequestKey key;
        radius::Packet request;
        std::shared_ptr<const base::Secret> secret;
        std::shared_ptr<Session> session;
        Source source;
        std::function<void(Bytes)> reply;
    };

    enrol::RegistrationAuthority& authority;
    enrol::VoucherAuthority* vouchers;
    Observer observer;
    mutable std::mutex mutex;
    std::shared_ptr<const Setup> setup;
    Bytes instance = crypto::random_bytes(kInstanceSize);
    std::map<Bytes, std::shared_ptr<Session>> sessions; ///< by State; those that wait for their peer
    std::map<RequestKey, Repeat> repeats;
    std::size_t busy = 0; ///< sessions that are taken out of the table while they work
    bool draining = false;
    std::map<std::string, std::uint64_t> counts;

    Impl(enrol::RegistrationAuthority& ra, enrol::VoucherAuthority* registrar, Observer tell)
        : authority(ra), vouchers(registrar), observer(std::move(tell))
    {
    }

    std::shared_ptr<Session> find_or_begin(const radius::Packet& request, const Source& source,
                                           const Client& client, std::string& refusal);
    void finish(const Exchange& exchange, teap::Answer answer);
    void send(const Exchange& exchange, radius::Packet packet);
    radius::Packet reply_to(const radius::Packet& request, Code code) const;
    void refuse(const Exchange& exchange);
};

radius::Packet TeapSessions::Impl::reply_to(const radius::Packet& request, Code code) const
{
    radius::Packet packet;
    packet.code = static_cast<std::uint8_t>(code);
    packet.identifier = request.identifier;
    return packet;
}

void TeapSessions::Impl::send(const Exchange& exchange, radius::Packet packet)
{
    for (const auto& one : exchange.request.attributes)
        if (one.type == attribute::kProxyState) packet.attributes.push_back(one);
    auto octets = radius::encode_response(packet, *exchange.secret, exchange.request.authenticator);
    if (!octets) return;
    {
        const std::lock_guard lock{mutex};
        repeats[exchange.key] = {Clock::now(), *octets};
    }
    exchange.reply(std::move(*octets));
}

void TeapSessions::Impl::refuse(const Exchange& exchange)
{
    auto packet = reply_to(exchange.request, Code::access_reject);
    const auto eap = radius::eap_message(exchange.request);
    if (eap && eap->size() >= 2) {
        const Bytes failure{4, (*eap)[1], 0, 4};
        radius::add_eap_message(packet, failure);
    }
    send(exchange, std::move(packet));
}

/// The conversation of the State attribute, taken out of the table: one round is outstanding at a time.
std::shared_ptr<TeapSessions::Impl::Session> TeapSessions::Impl::find_or_begin(const radius::Packet& request,
                                                                               const Source& source,
                                                                               const Client& client,
                                                                               std::string& refusal)
{
    if (const auto* state = request.find(attribute::kState)) {
        const auto found = sessions.find(*state);
        if (found == sessions.end()) {
            const bool ours =
                state->size() == kStateSize && std::equal(instance.begin(), instance.end(), state->begin());
            refusal = ours ? "state_unknown" : "state_foreign";
            return nullptr;
        }
        if (found->second->address != source.address) {
            refusal = "state_wrong_source";
            return nullptr;
        }
        auto session = std::move(found->second);
        sessions.erase(found);
        ++busy;
        return session;
    }
    if (draining || sessions.size() + busy >= setup->config.sessions) {
        refusal = draining ? "draining" : "over_limit";
        return nullptr;
    }
    auto session = std::make_shared<Session>();
    session->setup = setup;
    session->address = source.address;
    session->eap =
        std::make_unique<teap::ServerSession>(client.settings, setup->context, authority, source.address,
                                              to_hex(crypto::random_bytes(8)), vouchers);
    ++counts["sessions"];
    ++busy;
    return session;
}

void TeapSessions::Impl::finish(const Exchange& exchange, teap::Answer answer)
{
    const auto& session = exchange.session;
    const auto summary = session->eap->summary();
    if (answer.outcome == teap::Outcome::proceed) {
        auto packet = reply_to(exchange.request, Code::access_challenge);
        auto state = crypto::random_bytes(kStateSize);
        std::copy(instance.begin(), instance.end(), state.begin());
        packet.add(attribute::kState, state);
        packet.add(attribute::kSessionTimeout,
                   kChallengeTimeout + static_cast<std::uint32_t>(answer.peer_wait.count()));
        radius::add_eap_message(packet, answer.eap);
        {
            const std::lock_guard lock{mutex};
            session->used = Clock::now();
            sessions[state] = session;
            --busy;
            ++counts["challenges"];
        }
        send(exchange, std::move(packet));
        return;
    }
    bool accepted = answer.outcome == teap::Outcome::accept;
    auto packet = reply_to(exchange.request, accepted ? Code::access_accept : Code::access_reject);
    radius::add_eap_message(packet, answer.eap);
    if (accepted) {
        if (!radius::add_mppe_keys(packet, answer.keys.msk, *exchange.secret, exchange.request.authenticator))
            accepted = false;
        if (!summary.identity.empty()) packet.add(attribute::kUserName, as_bytes(summary.identity));
        if (const auto* asked = exchange.request.find(attribute::kEapKeyName);
            asked != nullptr && answer.session_id.size() <= radius::kLargestValue)
            packet.add(attribute::kEapKeyName, answer.session_id);
        const auto& rules = session->setup->config.accept;
        const auto rule = std::find_if(rules.begin(), rules.end(),
                                       [&](const AcceptRule& one) { return fits(one, summary); });
        if (rule != rules.end()) add_rule(packet, *rule);
    }
    {
        const std::lock_guard lock{mutex};
        --busy;
        ++counts[accepted ? "accepts" : "rejects"];
        if (accepted && summary.enrolled) ++counts["enrolments"];
        if (summary.vouched) ++counts["vouchers"];
    }
    if (observer) observer(summary, accepted, exchange.source);
    if (answer.outcome == teap::Outcome::accept && !accepted)
        refuse(exchange);
    else
        send(exchange, std::move(packet));
}

TeapSessions::TeapSessions(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
TeapSessions::~TeapSessions() = default;

Result<std::unique_ptr<TeapSessions>> TeapSessions::make(TeapConfig config, crypto::TlsContext context,
                                                         enrol::RegistrationAuthority& authority,
                                                         Observer observer, enrol::VoucherAuthority* vouchers)
{
    auto impl = std::make_shared<Impl>(authority, vouchers, std::move(observer));
    ACMETOOL_TRY(setup, make_setup(std::move(config), std::move(context)));
    impl->setup = std::move(setup);
    return std::unique_ptr<TeapSessions>{new TeapSessions{std::move(impl)}};
}

void TeapSessions::take(ByteView datagram, const Source& source, std::function<void(Bytes)> reply)
{
    auto impl = impl_;
    Impl::Exchange exchange;
    std::string refusal;
    Bytes eap;
    {
        const std::lock_guard lock{impl->mutex};
        const auto drop = [&](const char* why) { ++impl->counts[std::string{"dropped_"} + why]; };
        // RFC 2865 section 3: "A request from a client for which the RADIUS server does not have a shared
        // secret MUST be silently discarded."
        const auto* client = impl->setup->client_at(source.address);
        if (client == nullptr) return drop("unknown_client");
        auto request = radius::parse_packet(datagram);
        if (!request || request->code != static_cast<std::uint8_t>(Code::access_request))
            return drop("malformed");
        if (!radius::has_valid_message_authenticator(datagram, *client->secret, request->authenticator))
            return drop("message_authenticator");
        exchange.key = {as_bytes(source.address).begin(), as_bytes(source.address).end()};
        base::append16(exchange.key, source.port);
        exchange.key.push_back(request->identifier);
        base::append(exchange.key, request->authenticator);
        if (const auto known = impl->repeats.find(exchange.key); known != impl->repeats.end()) {
            ++impl->counts["repeats"];
            if (known->second.answer) reply(*known->second.answer);
            return;
        }
        auto message = radius::eap_message(*request);
        if (!message || request->find(attribute::kEapMessage) == nullptr) return drop("no_eap");
        eap = std::move(*message);
        if (impl->repeats.size() >= kMostRepeats) return drop("overload");
        exchange.request = std::move(*request);
        exchange.secret = client->secret;
        exchange.source = source;
        exchange.reply = std::move(reply);
        exchange.session = impl->find_or_begin(exchange.request, source, *client, refusal);
        if (!exchange.session) {
            ++impl->counts["refused_" + refusal];
            if (refusal == "over_limit" || refusal == "draining") return; // another server may have room
        }
        impl->repeats[exchange.key] = {Clock::now(), std::nullopt};
    }
    if (!exchange.session) {
        impl->refuse(exchange);
        return;
    }
    std::size_t mtu = 0;
    if (const auto* framed = exchange.request.find(attribute::kFramedMtu);
        framed != nullptr && framed->size() == 4)
        mtu = base::number16(ByteView{*framed}.subspan(2));
    const auto session = exchange.session;
    const auto key = exchange.key;
    // The State that came belongs to this round; a packet that EAP discards leaves it usable.
    const auto* state = exchange.request.find(attribute::kState);
    const auto back = state != nullptr ? *state : Bytes{};
    const bool taken =
        session->eap->handle(eap, mtu, [impl, exchange = std::move(exchange)](teap::Answer answer) {
            impl->finish(exchange, std::move(answer));
        });
    if (taken) return;
    const std::lock_guard lock{impl->mutex};
    ++impl->counts["dropped_eap"];
    --impl->busy;
    impl->repeats.erase(key);
    if (!back.empty()) impl->sessions[back] = session;
}

void TeapSessions::expire()
{
    const auto now = Clock::now();
    const std::lock_guard lock{impl_->mutex};
    const auto& config = impl_->setup->config;
    std::erase_if(impl_->repeats,
                  [&](const auto& one) { return one.second.answer && now - one.second.at > config.repeat; });
    impl_->counts["expired"] += std::erase_if(
        impl_->sessions, [&](const auto& one) { return now - one.second->used > config.session_life; });
}

Result<void> TeapSessions::configure(TeapConfig config, crypto::TlsContext context)
{
    ACMETOOL_TRY(setup, make_setup(std::move(config), std::move(context)));
    const std::lock_guard lock{impl_->mutex};
    impl_->setup = std::move(setup);
    return {};
}

void TeapSessions::drain()
{
    const std::lock_guard lock{impl_->mutex};
    impl_->draining = true;
}

std::size_t TeapSessions::open() const
{
    const std::lock_guard lock{impl_->mutex};
    return impl_->sessions.size() + impl_->busy;
}

std::map<std::string, std::uint64_t> TeapSessions::counters() const
{
    const std::lock_guard lock{impl_->mutex};
    return impl_->counts;
}

} // namespace acmetool::relay
