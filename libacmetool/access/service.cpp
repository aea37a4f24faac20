#include "access/service.h"

#include <array>

#include <nlohmann/json.hpp>

#include "access/sessions.h"
#include "base/json.h"
#include "base/octets.h"
#include "base/text.h"
#include "crypto/tls_engine.h"
#include "enrol/answers_on.h"
#include "est/csrattrs.h"
#include "net/udp_server.h"
#include "store/configured.h"

namespace acmetool::access
{
namespace
{

Result<crypto::TlsContext> tls_context(const Options& options)
{
    ACMETOOL_TRY(chain, store::read_configured_certificates(options.certificate_file));
    ACMETOOL_TRY(key, store::read_configured_key(options.key_file));
    chain.insert(chain.end(), options.issuers.begin(), options.issuers.end());
    crypto::TlsSettings settings;
    settings.chain = std::move(chain);
    settings.key = std::move(key);
    if (!options.min_tls.empty()) settings.min_version = options.min_tls;
    if (!options.max_tls.empty()) settings.max_version = options.max_tls;
    return crypto::TlsContext::make(crypto::Side::server, settings);
}

Options with_attributes(Options options)
{
    options.settings.csr_attributes = est::to_csrattrs;
    return options;
}

std::string_view name_of(Sessions::End end)
{
    return end == Sessions::End::accepted   ? "accept"
           : end == Sessions::End::rejected ? "reject"
                                            : "abandoned";
}

/// What a person who reads the log has to look for.
std::string_view words_of(Sessions::Drop cause)
{
    switch (cause) {
    case Sessions::Drop::unknown_client:
        return "no [[client]] has this address";
    case Sessions::Drop::message_authenticator:
    case Sessions::Drop::request_authenticator:
        return "wrong shared secret, or a packet that was changed on the way";
    case Sessions::Drop::malformed:
        return "not a RADIUS packet";
    case Sessions::Drop::code:
        return "not a request";
    }
    return {};
}

/// RFC 2865 section 1.2: the server "SHOULD provide the capability of logging the error, including the
/// contents of the silently discarded packet"; the contents may be anybody's, and only the cause is logged.
void tell_dropped(enrol::EventSink& log, Sessions::Drop cause, const Sessions::Source& source,
                  std::uint64_t times)
{
    log.event({{"event", "radius"},
               {"level", "warning"},
               {"address", source.address},
               {"decision", "drop"},
               {"cause", Sessions::name_of(cause)},
               {"times", times},
               {"text", words_of(cause)}});
}

void tell(enrol::EventSink& log, const Sessions::Ended& ended)
{
    const auto& summary = ended.summary;
    base::Json event{{"event", "teap"},
                     {"level", "info"},
                     {"address", ended.source.address},
                     {"decision", name_of(ended.end)},
                     {"enrolled", summary.enrolled},
                     {"request_id", ended.request_id}};
    const auto add = [&event](const char* name, const std::string& value) {
        if (!value.empty()) event[name] = base::printable(value);
    };
    add("identity", summary.identity);
    add("nas", ended.port.nas);
    add("port", ended.port.port);
    add("station", ended.port.station);
    if (!summary.device.empty()) event["device"] = summary.device; // whole: blocks need it
    add("manufacturer", summary.manufacturer);
    add("tls", summary.tls);
    add("client", summary.subject);
    add("serial", summary.serial);
    add("text", summary.text);
    if (summary.vouched) event["vouched"] = true;
    if (summary.error != 0) event["error"] = summary.error;
    if (!summary.names.empty()) event["identifiers"] = summary.names;
    log.event(event);
}

/// "start" of an Acct-Status-Type, or its number (RFC 2866 section 5.1).
std::string accounting_status(std::uint32_t number)
{
    constexpr std::array<std::string_view, 3> kNames{"start", "stop", "interim"};
    return number >= 1 && number <= kNames.size() ? std::string{kNames[number - 1]} : std::to_string(number);
}

/// What an Accounting-Request says. The log is its record.
base::Json accounting_event(const radius::Packet& packet, const Sessions::Source& source)
{
    namespace attribute = radius::attribute;
    base::Json event{{"event", "accounting"}, {"level", "info"}, {"address", source.address}};
    const auto text = [&](const char* name, std::uint8_t type) {
        if (const auto* value = packet.find(type)) event[name] = base::printable(as_text(*value));
    };
    const auto number = [&](std::uint8_t type) -> std::optional<std::uint32_t> {
        const auto* value = packet.find(type);
        if (value == nullptr || value->size() != sizeof(std::uint32_t)) return std::nullopt;
        return base::number32(*value);
    };
    const auto count = [&](const char* name, std::uint8_t type) {
        if (const auto value = number(type)) event[name] = *value;
    };
    if (const auto status = number(attribute::kAcctStatusType)) event["status"] = accounting_status(*status);
    text("session", attribute::kAcctSessionId);
    text("identity", attribute::kUserName);
    text("station", attribute::kCallingStationId);
    text("nas", attribute::kNasIdentifier);
    count("seconds", attribute::kAcctSessionTime);
    count("octets_in", attribute::kAcctInputOctets);
    count("octets_out", attribute::kAcctOutputOctets);
    count("cause", attribute::kAcctTerminateCause);
    return event;
}

/// RFC 2866 section 4.1: the server "MUST NOT transmit any reply if it fails to record", as it does where the
/// log leaves such events out.
Sessions::Recorder recorder(enrol::EventSink& log)
{
    if (!log.keeps(base::Level::info)) return {};
    return [&log](const radius::Packet& packet, const Sessions::Source& source) {
        log.event(accounting_event(packet, source));
    };
}

Sessions::Tracer tracer(enrol::EventSink& log)
{
    if (!log.traces()) return {};
    return [&log](const std::string& request_id, const teap::Shown& shown) {
        base::Message message;
        message.from = shown.by_peer ? "client" : "ra";
        message.to = shown.by_peer ? "ra" : "client";
        message.label = shown.text;
        if (!shown.by_peer) message.method = "EAP";
        message.request_id = request_id;
        message.device = shown.device;
        message.inferred = shown.inferred;
        log.message(message);
    };
}

} // namespace

struct Service::Impl {
    std::unique_ptr<enrol::AnswersOn> authority;
    std::unique_ptr<enrol::VouchersOn> vouchers; ///< null without BRSKI
    std::unique_ptr<Sessions> sessions;
    std::unique_ptr<net::UdpServer> socket; ///< destroyed first: its threads call the sessions
};

Service::Service(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Service::~Service() = default;

Result<std::unique_ptr<Service>> Service::start(const Options& options,
                                                enrol::RegistrationAuthority& authority,
                                                enrol::VoucherAuthority* vouchers, enrol::EventSink& log)
{
    auto impl = std::make_unique<Impl>();
    ACMETOOL_TRY(context, tls_context(options));
    ACMETOOL_TRY(socket, net::UdpServer::open(options.radius.host, options.radius.port, options.threads));
    impl->authority = std::make_unique<enrol::AnswersOn>(socket->executor(), authority);
    if (vouchers != nullptr)
        impl->vouchers = std::make_unique<enrol::VouchersOn>(socket->executor(), *vouchers);
    ACMETOOL_TRY(sessions, Sessions::make(
                               with_attributes(options), context, *impl->authority,
                               [&log](const Sessions::Ended& ended) { tell(log, ended); },
                               impl->vouchers.get(), recorder(log), socket->timers(), tracer(log),
                               [&log](Sessions::Drop cause, const Sessions::Source& source,
                                      std::uint64_t times) { tell_dropped(log, cause, source, times); }));
    socket->serve([raw = sessions.get()](ByteView datagram, const std::string& address, std::uint16_t port,
                                         net::UdpServer::Reply reply) {
        raw->take(datagram, {address, port}, std::move(reply));
    });
    impl->sessions = std::move(sessions);
    impl->socket = std::move(socket);
    return std::unique_ptr<Service>{new Service{std::move(impl)}};
}

std::uint16_t Service::port() const
{
    return impl_->socket ? impl_->socket->port() : std::uint16_t{0};
}

std::size_t Service::open() const
{
    return impl_->sessions->open();
}

std::map<std::string, std::uint64_t> Service::counters() const
{
    return impl_->sessions->counters();
}

Result<std::function<void()>> Service::prepare(const Options& options)
{
    ACMETOOL_TRY(context, tls_context(options));
    return impl_->sessions->prepare(with_attributes(options), context);
}

void Service::drain(std::chrono::seconds limit)
{
    impl_->sessions->drain(limit);
}

void Service::stop()
{
    impl_->socket.reset();
}

} // namespace acmetool::access
