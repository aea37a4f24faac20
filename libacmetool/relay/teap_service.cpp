#include "relay/teap_service.h"

#include <array>
#include <thread>

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/octets.h"
#include "base/text.h"
#include "crypto/tls_engine.h"
#include "est/csrattrs.h"
#include "radius/udp_server.h"
#include "relay/teap_sessions.h"
#include "store/atomic_file.h"

namespace acmetool::relay
{
namespace
{

Result<crypto::TlsContext> tls_context(const Config& config)
{
    const auto read = [](const std::string& file) {
        auto text = store::read_file(file);
        if (!text) text.error().code = Errc::config;
        return text;
    };
    ACMETOOL_TRY(chain_text, read(config.http.certificate_file));
    ACMETOOL_TRY(key_text, read(config.http.key_file));
    crypto::TlsSettings settings;
    ACMETOOL_TRY(chain, crypto::parse_certificates(chain_text, config.http.certificate_file));
    ACMETOOL_TRY(key, crypto::parse_private_key(key_text, config.http.key_file));
    settings.chain = std::move(chain);
    settings.key = std::move(key);
    if (config.http.min_tls == http::TlsVersion::tls_1_3) settings.min_version = "1.3";
    return crypto::TlsContext::make(crypto::Side::server, settings);
}

TeapConfig teap_of(const Config& config)
{
    auto teap = *config.teap;
    teap.settings.csr_attributes = est::to_csrattrs;
    return teap;
}

void tell(EventLog& log, const teap::Summary& summary, bool accepted, const TeapSessions::Source& source)
{
    base::Json event{{"event", "teap"},
                     {"level", "info"},
                     {"address", source.address},
                     {"decision", accepted ? "accept" : "reject"},
                     {"enrolled", summary.enrolled}};
    const auto add = [&event](const char* name, const std::string& value) {
        if (!value.empty()) event[name] = base::printable(value);
    };
    add("identity", summary.identity);
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
base::Json accounting_event(const radius::Packet& packet, const TeapSessions::Source& source)
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
TeapSessions::Recorder recorder(EventLog& log)
{
    if (!log.keeps(base::Level::info)) return {};
    return [&log](const radius::Packet& packet, const TeapSessions::Source& source) {
        log.event(accounting_event(packet, source));
    };
}

} // namespace

struct TeapService::Impl {
    std::unique_ptr<TeapSessions> sessions;
    std::unique_ptr<radius::UdpServer> socket;
};

TeapService::TeapService(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TeapService::~TeapService() = default;

Result<std::unique_ptr<TeapService>> TeapService::start(const Config& config,
                                                        enrol::RegistrationAuthority& authority,
                                                        enrol::VoucherAuthority* vouchers, EventLog& log)
{
    auto impl = std::make_unique<Impl>();
    ACMETOOL_TRY(context, tls_context(config));
    ACMETOOL_TRY(sessions,
                 TeapSessions::make(
                     teap_of(config), context, authority,
                     [&log](const teap::Summary& summary, bool accepted, const TeapSessions::Source& source) {
                         tell(log, summary, accepted, source);
                     },
                     vouchers, recorder(log)));
    impl->sessions = std::move(sessions);
    auto* const raw = impl->sessions.get();
    ACMETOOL_TRY(socket, radius::UdpServer::start(
                             config.teap->radius.host, config.teap->radius.port,
                             [raw](ByteView datagram, const std::string& address, std::uint16_t port,
                                   radius::UdpServer::Reply reply) {
                                 raw->take(datagram, {address, port}, std::move(reply));
                             },
                             [raw] { raw->expire(); }));
    impl->socket = std::move(socket);
    return std::unique_ptr<TeapService>{new TeapService{std::move(impl)}};
}

std::uint16_t TeapService::port() const
{
    return impl_->socket ? impl_->socket->port() : std::uint16_t{0};
}

std::size_t TeapService::open() const
{
    return impl_->sessions->open();
}

std::map<std::string, std::uint64_t> TeapService::counters() const
{
    return impl_->sessions->counters();
}

Result<void> TeapService::reload(const Config& config)
{
    ACMETOOL_TRY(context, tls_context(config));
    return impl_->sessions->configure(teap_of(config), context);
}

void TeapService::drain(std::chrono::seconds limit)
{
    impl_->sessions->drain();
    const auto end = std::chrono::steady_clock::now() + limit;
    while (impl_->sessions->open() > 0 && std::chrono::steady_clock::now() < end)
        std::this_thread::sleep_for(std::chrono::milliseconds{50});
}

void TeapService::stop()
{
    impl_->socket.reset();
}

} // namespace acmetool::relay
