#include "access/sessions.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "access/device_share.h"
#include "access/setup.h"
#include "base/octets.h"
#include "base/once_per_minute.h"
#include "base/text.h"
#include "crypto/digest.h"

namespace acmetool::access
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
constexpr std::uint32_t kRadiusRequest = 1;     ///< Termination-Action
constexpr std::uint32_t kInvalidEap = 202;      ///< Error-Cause "Invalid EAP Packet (Ignored)" (RFC 3579 2.2)
constexpr unsigned kMostInvalidEap = 5;         ///< in one conversation, as RFC 3579 section 2.2 recommends

bool fits(const AcceptRule& rule, const teap::Summary& summary)
{
    if (rule.enrolled && *rule.enrolled != summary.enrolled) return false;
    if (!rule.manufacturer.empty() && rule.manufacturer != summary.manufacturer) return false;
    if (rule.device.empty()) return true;
    const bool prefix = rule.device.ends_with('*');
    const auto wanted = std::string_view{rule.device}.substr(0, rule.device.size() - (prefix ? 1 : 0));
    const auto is = [&](const std::string& name) {
        return prefix ? name.starts_with(wanted) : name == wanted;
    };
    return is(summary.serial_number) || std::any_of(summary.names.begin(), summary.names.end(), is);
}

/// A peer chooses its outer identity freely, and can name somebody else. Its serial number may be another
/// device's as well, of another manufacturer; a name has one owner. Empty: none.
std::string user_name_of(const teap::Summary& summary, UserName which)
{
    if (which == UserName::authenticated)
        return summary.names.empty() ? std::string{} : summary.names.front();
    const auto& outer = summary.identity;
    return base::printable(outer) == outer ? outer : std::string{};
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
    if (rule.session_timeout.count() > 0 && rule.reauthenticate)
        packet.add(attribute::kTerminationAction, kRadiusRequest);
    for (const auto& one : rule.attributes)
        packet.add(one.type, one.value);
}

/// RFC 4372 section 2.1: only to a NAS that asks for it. Always the same for a device, and says nothing of
/// it.
void add_chargeable_identity(radius::Packet& packet, const radius::Packet& request,
                             const teap::Summary& summary)
{
    const auto& who = summary.serial_number.empty() && !summary.names.empty() ? summary.names.front()
                                                                              : summary.serial_number;
    if (who.empty() || request.find(attribute::kChargeableUserIdentity) == nullptr) return;
    packet.add(attribute::kChargeableUserIdentity, as_bytes(to_hex(crypto::sha256(as_bytes(who)))));
}

Sessions::Port port_of(const radius::Packet& request)
{
    const auto text = [&](std::uint8_t type) {
        const auto* value = request.find(type);
        return value == nullptr ? std::string{} : std::string{as_text(*value)};
    };
    const auto* const number = request.find(attribute::kNasPort);
    const auto* const address = request.find(attribute::kNasIpAddress);
    Sessions::Port port{text(attribute::kNasIdentifier), text(attribute::kNasPortId),
                        text(attribute::kCallingStationId)};
    if (port.port.empty() && number != nullptr && number->size() == 4)
        port.port = std::to_string(base::number32(*number));
    if (port.nas.empty() && address != nullptr && address->size() == 4)
        port.nas = fmt::format("{}", fmt::join(*address, "."));
    return port;
}

bool is(const radius::Packet& packet, Code code)
{
    return packet.code == static_cast<std::uint8_t>(code);
}

/// Why a request has no conversation.
enum class Refusal { eap_message, state_unknown, state_foreign, state_wrong_source, draining, over_limit };

std::string counter_of(Refusal refusal)
{
    switch (refusal) {
    case Refusal::eap_message:
        return "refused_eap_message";
    case Refusal::state_unknown:
        return "refused_state_unknown";
    case Refusal::state_foreign:
        return "refused_state_foreign";
    case Refusal::state_wrong_source:
        return "refused_state_wrong_source";
    case Refusal::draining:
        return "refused_draining";
    case Refusal::over_limit:
        return "refused_over_limit";
    }
    return "refused_eap_message";
}

struct Counter {
    const char* name;
    const char* help;
};
constexpr Counter kCounters[] = {
    {"accepts", "Conversations that ended with Access-Accept."},
    {"accounting", "Accounting-Requests that were recorded."},
    {"challenges", "Access-Challenges sent."},
    {"dropped_accounting", "Accounting-Requests that nobody records."},
    {"dropped_code", "Packets dropped because they are not requests."},
    {"dropped_draining", "Packets dropped because the relay is about to end."},
    {"dropped_malformed", "Datagrams dropped because they are not RADIUS packets."},
    {"dropped_message_authenticator",
     "Packets dropped because of a wrong shared secret: Message-Authenticator."},
    {"dropped_overload", "Packets dropped because too many are under way."},
    {"dropped_request_authenticator",
     "Packets dropped because of a wrong shared secret: Request Authenticator."},
    {"dropped_unknown_client", "Packets dropped because no client has their address."},
    {"enrolments", "Conversations in which a device got a certificate."},
    {"expired", "Conversations that the device or the switch did not go on with."},
    {"invalid_eap", "Packets with EAP that cannot be read."},
    {"refused_draining", "Conversations not begun because the relay is about to end."},
    {"refused_eap_message", "Packets rejected because of their EAP-Message."},
    {"refused_no_eap", "Packets rejected because they have no EAP."},
    {"refused_over_limit", "Conversations not begun because of a limit."},
    {"refused_state_foreign", "Packets rejected because their State is not of this relay."},
    {"refused_state_unknown", "Packets rejected because their conversation has ended."},
    {"refused_state_wrong_source", "Packets rejected because their conversation is another client's."},
    {"rejects", "Conversations that ended with Access-Reject."},
    {"repeats", "Packets that came again."},
    {"replaced", "Conversations that a new one of the same device ended."},
    {"sessions", "Conversations begun."},
    {"status_server", "Status-Server requests answered."},
    {"too_large", "Answers that would have been longer than a RADIUS packet, rejected instead."},
    {"vouchers", "Conversations in which a device got a voucher."},
};

std::map<std::string, std::uint64_t> zeros()
{
    std::map<std::string, std::uint64_t> counts;
    for (const auto& counter : kCounters)
        counts[counter.name] = 0;
    return counts;
}

/// Why a known client's packet is discarded in silence; nothing where it is authentic.
std::optional<Sessions::Drop> why_dropped(ByteView datagram, const radius::Packet& request,
                                          const base::Secret& secret)
{
    if (is(request, Code::accounting_request))
        return radius::has_valid_request_authenticator(datagram, secret)
                   ? std::nullopt
                   : std::optional{Sessions::Drop::request_authenticator};
    if (!is(request, Code::access_request) && !is(request, Code::status_server)) return Sessions::Drop::code;
    // RFC 3579 section 3.2 wants the Message-Authenticator beside EAP-Message, and RFC 5997 section 3 in
    // Status-Server. A password or a MAC address may come without: all it gets is a rejection, which has one.
    if (is(request, Code::access_request) && request.find(attribute::kEapMessage) == nullptr &&
        request.find(attribute::kMessageAuthenticator) == nullptr)
        return std::nullopt;
    return radius::has_valid_message_authenticator(datagram, secret, request.authenticator)
               ? std::nullopt
               : std::optional{Sessions::Drop::message_authenticator};
}

} // namespace

const char* Sessions::name_of(Drop cause)
{
    switch (cause) {
    case Drop::unknown_client:
        return "unknown_client";
    case Drop::malformed:
        return "malformed";
    case Drop::code:
        return "code";
    case Drop::request_authenticator:
        return "request_authenticator";
    case Drop::message_authenticator:
        return "message_authenticator";
    }
    return "malformed";
}

std::optional<Sessions::Drop> Sessions::drop_named(std::string_view name)
{
    for (int i = 0; i <= static_cast<int>(kLastDrop); ++i)
        if (const auto cause = static_cast<Drop>(i); name_of(cause) == name) return cause;
    return std::nullopt;
}

struct Sessions::Impl : std::enable_shared_from_this<Sessions::Impl> {
    /// Source, port, Identifier and authenticator of a request (RFC 5080 section 2.2.2).
    using RequestKey = Bytes;
    struct Repeat {
        Clock::time_point at;
        std::optional<Bytes> answer; ///< none: still being made
    };
    struct Session {
        std::unique_ptr<teap::ServerSession> eap;
        std::shared_ptr<const Setup> setup;
        Source source; ///< of the first packet
        Port port;
        std::string request_id;
        Bytes state; ///< in the table by that; empty: it works
        Clock::time_point used;
        Bytes last_eap; ///< the EAP-Request that waits for its response
        unsigned invalid = 0;
    };
    /// One request on its way.
    struct Exchange {
        RequestKey key;
        radius::Packet request;
        NasClient client;
        std::shared_ptr<Session> session;
        Source source;
        std::function<void(Bytes)> reply;
    };

    enrol::RegistrationAuthority& authority;
    enrol::VoucherAuthority* vouchers;
    Observer observer;
    Recorder recorder;
    Timers timers;
    Tracer tracer;
    Dropped dropped;
    mutable std::mutex mutex;      ///< of all below
    std::condition_variable ended; ///< a conversation has
    std::shared_ptr<const Setup> setup;
    Bytes instance = crypto::random_bytes(kInstanceSize);
    std::map<Bytes, std::shared_ptr<Session>> sessions; ///< by State; those that wait for their peer
    /// NAS and its port of UDP, NAS-Identifier, port, Calling-Station-Id. Without the last one nothing tells
    /// devices apart.
    using Device = std::tuple<std::string, std::uint16_t, std::string, std::string, std::string>;
    DeviceShare<Device, Session> devices;
    std::map<RequestKey, Repeat> repeats;
    std::size_t busy = 0; ///< sessions that are taken out of the table while they work
    bool draining = false;
    bool has_timer = false; ///< expire() will be called
    std::map<std::string, std::uint64_t> counts = zeros();
    base::OncePerMinute<std::pair<Drop, std::string>> told_drops; ///< by cause and address

    Impl(enrol::RegistrationAuthority& ra, enrol::VoucherAuthority* registrar, Observer tell, Recorder record,
         Timers clock, Tracer trace, Dropped drop)
        : authority(ra), vouchers(registrar), observer(std::move(tell)), recorder(std::move(record)),
          timers(std::move(clock)), tracer(std::move(trace)), dropped(std::move(drop))
    {
    }

    std::size_t open() const { return sessions.size() + busy; }
    void one_ended(const std::shared_ptr<Session>& session);
    void worked(const std::shared_ptr<Session>& session);
    void expire();
    void want_expiry(Clock::time_point earliest);

    static Device device_of(const Session& session)
    {
        const auto& [nas, port, station] = session.port;
        return {session.source.address, session.source.port, nas, port, station};
    }
    void put(const Bytes& state, const std::shared_ptr<Session>& session);
    std::shared_ptr<Session> take_oldest(const Session& session);
    std::shared_ptr<Session> find_or_begin(const Exchange& exchange, Refusal& refusal,
                                           std::shared_ptr<Session>& replaced);
    void finish(const Exchange& exchange, teap::Answer answer);
    void tell(End end, const Session& session, teap::Summary summary) const;
    void tell_abandoned(const Session& session, const char* how) const;
    void tell_dropped(Drop cause, const Source& source);
    bool admit(ByteView datagram, Exchange& exchange);
    bool is_new(Exchange& exchange);
    void answer_once(const Exchange& exchange, const char* counter, Code code);
    void record(Exchange& exchange);
    void converse(Exchange exchange);
    void ask_again(const Exchange& exchange);
    void send(const Exchange& exchange, const radius::Packet& packet);
    void deliver(const Exchange& exchange, Result<Bytes> octets);
    static Result<Bytes> encode(const Exchange& exchange, radius::Packet packet);
    static radius::Packet reply_to(const radius::Packet& request, Code code);
    static radius::Packet challenge(const Exchange& exchange, ByteView state, std::chrono::seconds more);
    static radius::Packet reject_of(const Exchange& exchange);
    void refuse(const Exchange& exchange);
};

radius::Packet Sessions::Impl::reply_to(const radius::Packet& request, Code code)
{
    radius::Packet packet;
    packet.code = static_cast<std::uint8_t>(code);
    packet.identifier = request.identifier;
    return packet;
}

/// With the EAP-Request that the session sends or sent last.
radius::Packet Sessions::Impl::challenge(const Exchange& exchange, ByteView state, std::chrono::seconds more)
{
    auto packet = reply_to(exchange.request, Code::access_challenge);
    packet.add(attribute::kState, state);
    packet.add(attribute::kSessionTimeout, kChallengeTimeout + static_cast<std::uint32_t>(more.count()));
    radius::add_eap_message(packet, exchange.session->last_eap);
    return packet;
}

Result<Bytes> Sessions::Impl::encode(const Exchange& exchange, radius::Packet packet)
{
    for (const auto& one : exchange.request.attributes)
        if (one.type == attribute::kProxyState) packet.attributes.push_back(one);
    return radius::encode_response(packet, *exchange.client.secret, exchange.request.authenticator);
}

void Sessions::Impl::send(const Exchange& exchange, const radius::Packet& packet)
{
    deliver(exchange, encode(exchange, packet));
}

/// What is longer than a packet may be becomes a Reject, which fits beside the request's Proxy-States.
void Sessions::Impl::deliver(const Exchange& exchange, Result<Bytes> octets)
{
    const bool is_too_large = !octets;
    if (is_too_large) octets = encode(exchange, reject_of(exchange));
    {
        const std::lock_guard lock{mutex};
        if (is_too_large) ++counts["too_large"];
        if (octets)
            repeats[exchange.key] = {Clock::now(), *octets};
        else
            repeats.erase(exchange.key);
        want_expiry({}); // of this answer and of the conversation that it belongs to
    }
    if (octets) exchange.reply(std::move(*octets));
}

radius::Packet Sessions::Impl::reject_of(const Exchange& exchange)
{
    auto packet = reply_to(exchange.request, Code::access_reject);
    const auto eap = radius::eap_message(exchange.request);
    if (eap && eap->size() >= 2) {
        const Bytes failure{4, (*eap)[1], 0, 4};
        radius::add_eap_message(packet, failure);
    }
    return packet;
}

void Sessions::Impl::refuse(const Exchange& exchange)
{
    send(exchange, reject_of(exchange));
}

/// It waits for its peer. `mutex` is held.
void Sessions::Impl::put(const Bytes& state, const std::shared_ptr<Session>& session)
{
    session->state = state;
    sessions[state] = session;
}

/// The conversation of the same device that gives way to `session`, if one has to. `mutex` is held.
std::shared_ptr<Sessions::Impl::Session> Sessions::Impl::take_oldest(const Session& session)
{
    if (session.port.station.empty()) return nullptr;
    auto oldest =
        devices.oldest_over(device_of(session), [](const auto& one) { return !one->state.empty(); });
    if (!oldest) return nullptr;
    sessions.erase(oldest->state);
    ++counts["replaced"];
    return oldest;
}

/// The conversation of the State attribute, taken out of the table: one round is outstanding at a time.
/// `replaced`: one that ended because the device began anew.
std::shared_ptr<Sessions::Impl::Session>
Sessions::Impl::find_or_begin(const Exchange& exchange, Refusal& refusal, std::shared_ptr<Session>& replaced)
{
    if (const auto* state = exchange.request.find(attribute::kState)) {
        const auto found = sessions.find(*state);
        if (found == sessions.end()) {
            const bool ours =
                state->size() == kStateSize && std::equal(instance.begin(), instance.end(), state->begin());
            refusal = ours ? Refusal::state_unknown : Refusal::state_foreign;
            return nullptr;
        }
        if (found->second->source.address != exchange.source.address) {
            refusal = Refusal::state_wrong_source;
            return nullptr;
        }
        auto session = std::move(found->second);
        sessions.erase(found);
        session->state.clear();
        ++busy;
        return session;
    }
    auto session = std::make_shared<Session>();
    session->setup = setup;
    session->source = exchange.source;
    session->port = port_of(exchange.request);
    if (!draining) replaced = take_oldest(*session);
    if (draining || open() >= setup->config.sessions) {
        refusal = draining ? Refusal::draining : Refusal::over_limit;
        return nullptr;
    }
    const auto request_id = to_hex(crypto::random_bytes(8));
    session->request_id = request_id;
    teap::Show show;
    if (tracer) show = [trace = tracer, request_id](const teap::Shown& shown) { trace(request_id, shown); };
    session->eap =
        std::make_unique<teap::ServerSession>(exchange.client.settings, setup->context, authority,
                                              exchange.source.address, request_id, vouchers, std::move(show));
    ++counts["sessions"];
    ++busy;
    if (!session->port.station.empty()) devices.add(device_of(*session), session);
    return session;
}

void Sessions::Impl::tell(End end, const Session& session, teap::Summary summary) const
{
    if (observer) observer({end, std::move(summary), session.source, session.port, session.request_id});
}

void Sessions::Impl::tell_abandoned(const Session& session, const char* how) const
{
    auto summary = session.eap->summary();
    const bool is_refused = !summary.text.empty(); // and the peer does not answer to that
    if (is_refused)
        summary.text += "; the peer did not answer";
    else
        summary.text = fmt::format("{} while the server waited for {}", how, summary.step);
    tell(is_refused ? End::rejected : End::abandoned, session, std::move(summary));
}

/// A flood of packets is a line a minute. `mutex` is held.
void Sessions::Impl::tell_dropped(Drop cause, const Source& source)
{
    if (!dropped) return;
    if (const auto times = told_drops.take({cause, source.address})) dropped(cause, source, *times);
}

/// Fills in the request and its client; false where it is discarded in silence.
bool Sessions::Impl::admit(ByteView datagram, Exchange& exchange)
{
    const std::lock_guard lock{mutex};
    const auto drop = [&](Drop why) {
        ++counts[std::string{"dropped_"} + name_of(why)];
        tell_dropped(why, exchange.source);
        return false;
    };
    // RFC 2865 section 3: "A request from a client for which the RADIUS server does not have a shared
    // secret MUST be silently discarded."
    const auto* client = setup->client_at(exchange.source.address);
    if (client == nullptr) return drop(Drop::unknown_client);
    auto request = radius::parse_packet(datagram);
    if (!request) return drop(Drop::malformed);
    if (const auto why = why_dropped(datagram, *request, *client->secret)) return drop(*why);
    exchange.request = std::move(*request);
    exchange.client = *client;
    return true;
}

/// For what is answered the same again, and need not be authentic: nothing is kept of it.
void Sessions::Impl::answer_once(const Exchange& exchange, const char* counter, Code code)
{
    {
        const std::lock_guard lock{mutex};
        ++counts[draining ? "dropped_draining" : counter]; // another server may have room
        if (draining) return;
    }
    if (auto octets = encode(exchange, reply_to(exchange.request, code))) exchange.reply(std::move(*octets));
}

/// False for a request that came before, whose answer is sent again if it is known. `mutex` is held.
bool Sessions::Impl::is_new(Exchange& exchange)
{
    exchange.key = {as_bytes(exchange.source.address).begin(), as_bytes(exchange.source.address).end()};
    base::append16(exchange.key, exchange.source.port);
    exchange.key.push_back(exchange.request.identifier);
    base::append(exchange.key, exchange.request.authenticator);
    if (const auto known = repeats.find(exchange.key); known != repeats.end()) {
        ++counts["repeats"];
        if (known->second.answer) exchange.reply(*known->second.answer);
        return false;
    }
    if (repeats.size() < kMostRepeats) return true;
    ++counts["dropped_overload"];
    return false;
}

/// RFC 2866 section 4.1: the server "MUST transmit an Accounting-Response reply if it successfully records
/// the accounting packet".
void Sessions::Impl::record(Exchange& exchange)
{
    {
        const std::lock_guard lock{mutex};
        if (!is_new(exchange)) return;
        ++counts[recorder ? "accounting" : "dropped_accounting"];
        if (!recorder) return;
        repeats[exchange.key] = {Clock::now(), std::nullopt};
    }
    recorder(exchange.request, exchange.source);
    send(exchange, reply_to(exchange.request, Code::accounting_response));
}

void Sessions::Impl::converse(Exchange exchange)
{
    Bytes eap;
    std::shared_ptr<Session> replaced;
    {
        const std::lock_guard lock{mutex};
        if (!is_new(exchange)) return;
        Refusal refusal = Refusal::eap_message;
        if (auto message = radius::eap_message(exchange.request)) {
            eap = std::move(*message);
            exchange.session = find_or_begin(exchange, refusal, replaced);
        }
        if (!exchange.session) {
            ++counts[counter_of(refusal)];
            if (refusal == Refusal::over_limit || refusal == Refusal::draining)
                return; // another server may have room
        }
        repeats[exchange.key] = {Clock::now(), std::nullopt};
    }
    if (replaced) tell_abandoned(*replaced, "abandoned for another one of the same device");
    if (!exchange.session) {
        refuse(exchange);
        return;
    }
    std::size_t mtu = 0;
    if (const auto* framed = exchange.request.find(attribute::kFramedMtu);
        framed != nullptr && framed->size() == 4)
        mtu = base::number16(ByteView{*framed}.subspan(2));
    const bool taken =
        exchange.session->eap->handle(eap, mtu, [impl = shared_from_this(), exchange](teap::Answer answer) {
            impl->finish(exchange, std::move(answer));
        });
    if (!taken) ask_again(exchange);
}

/// EAP that the conversation discards (RFC 3748 section 4.1) leaves it where it was, State included. RFC 3579
/// section 2.2: "The Access-Challenge SHOULD encapsulate within EAP-Message attribute(s) the most recently
/// sent EAP-Request packet".
void Sessions::Impl::ask_again(const Exchange& exchange)
{
    const auto* state = exchange.request.find(attribute::kState);
    const auto& session = exchange.session;
    bool over = state == nullptr;
    auto packet = challenge(exchange, over ? ByteView{} : *state, std::chrono::seconds{0});
    packet.add(attribute::kErrorCause, kInvalidEap);
    {
        const std::lock_guard lock{mutex};
        ++counts["invalid_eap"];
        over = over || ++session->invalid >= kMostInvalidEap;
        if (over) {
            ++counts["rejects"];
        } else {
            put(*state, session);
            --busy;
        }
    }
    if (over) {
        auto summary = session->eap->summary();
        summary.text = "the peer's EAP packets do not answer the requests";
        tell(End::rejected, *session, std::move(summary));
        refuse(exchange);
        worked(session);
        return;
    }
    send(exchange, packet);
}

/// The conversation is over, and its last answer is sent: until then drain() waits for it.
void Sessions::Impl::worked(const std::shared_ptr<Session>& session)
{
    const std::lock_guard lock{mutex};
    --busy;
    one_ended(session);
}

void Sessions::Impl::finish(const Exchange& exchange, teap::Answer answer)
{
    const auto& session = exchange.session;
    auto summary = session->eap->summary();
    if (answer.outcome == teap::Outcome::proceed) {
        auto state = crypto::random_bytes(kStateSize);
        std::copy(instance.begin(), instance.end(), state.begin());
        session->last_eap = std::move(answer.eap);
        auto packet = challenge(exchange, state, answer.peer_wait);
        {
            const std::lock_guard lock{mutex};
            session->used = Clock::now();
            put(state, session);
            --busy;
            ++counts["challenges"];
        }
        send(exchange, packet);
        return;
    }
    bool accepted = answer.outcome == teap::Outcome::accept;
    auto packet = reply_to(exchange.request, accepted ? Code::access_accept : Code::access_reject);
    radius::add_eap_message(packet, answer.eap);
    if (accepted) {
        if (!radius::add_mppe_keys(packet, answer.keys.msk, *exchange.client.secret,
                                   exchange.request.authenticator))
            accepted = false;
        const auto user = user_name_of(summary, session->setup->config.user_name);
        if (!user.empty()) packet.add(attribute::kUserName, as_bytes(user));
        if (const auto* asked = exchange.request.find(attribute::kEapKeyName);
            asked != nullptr && answer.session_id.size() <= radius::kLargestValue)
            packet.add(attribute::kEapKeyName, answer.session_id);
        add_chargeable_identity(packet, exchange.request, summary);
        const auto& rules = session->setup->config.accept;
        const auto rule = std::find_if(rules.begin(), rules.end(),
                                       [&](const AcceptRule& one) { return fits(one, summary); });
        if (rule != rules.end()) add_rule(packet, *rule);
        if (!accepted) packet = reject_of(exchange);
    }
    auto octets = encode(exchange, packet);
    if (accepted && !octets) {
        accepted = false;
        summary.text = "the Access-Accept would be longer than 4096 octets: see the attributes of [[accept]]";
    }
    {
        const std::lock_guard lock{mutex};
        ++counts[accepted ? "accepts" : "rejects"];
        if (accepted && summary.enrolled) ++counts["enrolments"];
        if (summary.vouched) ++counts["vouchers"];
    }
    tell(accepted ? End::accepted : End::rejected, *session, summary);
    deliver(exchange, std::move(octets));
    worked(session);
}

/// `mutex` is held.
void Sessions::Impl::one_ended(const std::shared_ptr<Session>& session)
{
    if (!session->port.station.empty()) devices.remove(device_of(*session), session);
    if (open() == 0) ended.notify_all();
}

/// Forgets what is too old, and asks to be called again while anything is kept.
void Sessions::Impl::expire()
{
    const auto now = Clock::now();
    std::vector<std::shared_ptr<Session>> abandoned; // the last to be destroyed, without the lock
    std::unique_lock lock{mutex};
    has_timer = false;
    const auto& config = setup->config;
    std::erase_if(repeats,
                  [&](const auto& one) { return one.second.answer && now - one.second.at >= config.repeat; });
    std::erase_if(sessions, [&](const auto& one) {
        if (now - one.second->used < config.session_life) return false;
        abandoned.push_back(one.second);
        return true;
    });
    counts["expired"] += abandoned.size();
    for (const auto& session : abandoned)
        one_ended(session);
    want_expiry(now + std::chrono::seconds{1}); // all of a second are looked for together
    lock.unlock();
    for (const auto& session : abandoned)
        tell_abandoned(*session, "abandoned");
}

/// Asks for expire() when the first of what is kept will be too old, not before `earliest`, unless it is
/// asked for. `mutex` is held.
void Sessions::Impl::want_expiry(Clock::time_point earliest)
{
    if (has_timer || !timers) return;
    const auto& config = setup->config;
    auto first = Clock::time_point::max();
    for (const auto& [key, repeat] : repeats)
        if (repeat.answer) first = std::min(first, repeat.at + config.repeat);
    for (const auto& [state, session] : sessions)
        first = std::min(first, session->used + config.session_life);
    if (first == Clock::time_point::max()) return;
    has_timer = true;
    timers(std::max(first, earliest), [weak = weak_from_this()] {
        if (const auto self = weak.lock()) self->expire();
    });
}

Sessions::Sessions(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Sessions::~Sessions() = default;

Result<std::unique_ptr<Sessions>> Sessions::make(Options config, crypto::TlsContext context,
                                                 enrol::RegistrationAuthority& authority, Observer observer,
                                                 enrol::VoucherAuthority* vouchers, Recorder recorder,
                                                 Timers timers, Tracer tracer, Dropped dropped)
{
    auto impl = std::make_shared<Impl>(authority, vouchers, std::move(observer), std::move(recorder),
                                       std::move(timers), std::move(tracer), std::move(dropped));
    ACMETOOL_TRY(setup, read_setup(std::move(config), std::move(context)));
    impl->setup = std::move(setup);
    return std::unique_ptr<Sessions>{new Sessions{std::move(impl)}};
}

void Sessions::take(ByteView datagram, const Source& source, std::function<void(Bytes)> reply)
{
    const auto impl = impl_;
    Impl::Exchange exchange;
    exchange.source = source;
    exchange.reply = std::move(reply);
    if (!impl->admit(datagram, exchange)) return;
    if (is(exchange.request, Code::accounting_request))
        impl->record(exchange);
    else if (is(exchange.request, Code::status_server))
        impl->answer_once(exchange, "status_server", Code::access_accept); // RFC 5997 section 4.2
    else if (exchange.request.find(attribute::kEapMessage) == nullptr)
        impl->answer_once(exchange, "refused_no_eap", Code::access_reject);
    else
        impl->converse(std::move(exchange));
}

Result<std::function<void()>> Sessions::prepare(Options config, crypto::TlsContext context)
{
    ACMETOOL_TRY(setup, read_setup(std::move(config), std::move(context)));
    return [impl = impl_, setup = std::move(setup)] {
        const std::lock_guard lock{impl->mutex};
        impl->setup = setup;
    };
}

void Sessions::drain(std::chrono::seconds limit)
{
    std::unique_lock lock{impl_->mutex};
    impl_->draining = true;
    impl_->ended.wait_for(lock, limit, [this] { return impl_->open() == 0; });
}

std::size_t Sessions::open() const
{
    const std::lock_guard lock{impl_->mutex};
    return impl_->open();
}

std::string_view Sessions::help_of(std::string_view counter)
{
    const auto* const found = std::find_if(std::begin(kCounters), std::end(kCounters),
                                           [&](const Counter& one) { return one.name == counter; });
    return found == std::end(kCounters) ? std::string_view{} : std::string_view{found->help};
}

std::map<std::string, std::uint64_t> Sessions::counters() const
{
    const std::lock_guard lock{impl_->mutex};
    return impl_->counts;
}

} // namespace acmetool::access
