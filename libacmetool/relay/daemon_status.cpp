#include <algorithm>
#include <map>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "access/sessions.h"
#include "base/text.h"
#include "http/text_response.h"
#include "relay/daemon_impl.h"
#include "store/configured.h"

// How the relay is: /readyz, /metrics, /status and the page.
namespace acmetool::relay
{
namespace
{

using base::Json;

/// Those of a chain or a CA, by subject. What cannot be read is told elsewhere.
void add_certificates(std::vector<OwnCertificate>& own, const std::string& use, const std::string& what,
                      const std::vector<crypto::Certificate>& certificates)
{
    for (const auto& one : certificates) {
        const auto subject = base::printable(one.subject(), 200);
        own.push_back({use, fmt::format("{} {}", what, subject), subject, one.not_before(), one.not_after()});
    }
}

/// True for a monitor that wants the old text format, or does not know the new one.
bool wants_prometheus(const http::ServerRequest& request)
{
    const auto accept = http::find(request.headers, "accept").value_or("");
    return accept.find("application/openmetrics-text") == std::string_view::npos &&
           accept.find("text/plain") != std::string_view::npos;
}

/// Of one member of /status, a time.
std::optional<std::int64_t> seconds_of(const Json& object, const char* name)
{
    const auto text = base::string_member(object, name);
    if (!text) return std::nullopt;
    const auto time = base::parse_rfc3339(*text);
    return time ? std::optional{std::int64_t{time->time_since_epoch().count()}} : std::nullopt;
}

} // namespace

Daemon::Impl::Impl(Config settings, EventLog& events)
    : shown_(std::make_shared<const Shown>()), config(std::move(settings)), log(events), crls(events)
{
}

void Daemon::Impl::show(const Config& settings)
{
    Shown fresh{settings, {}};
    if (const auto chain = store::read_configured_certificates(settings.http.certificate_file))
        add_certificates(fresh.own, "tls", "TLS certificate", {chain->front()});
    const auto& remote = settings.remote_admin;
    if (remote.listen && remote.certificate_file != settings.http.certificate_file)
        if (const auto chain = store::read_configured_certificates(remote.certificate_file))
            add_certificates(fresh.own, "administration", "administration certificate", {chain->front()});
    for (const auto& file : settings.ra.idevid.trust)
        if (const auto anchors = store::read_configured_certificates(file))
            add_certificates(fresh.own, "manufacturer", "manufacturer", *anchors);
    for (const auto& one : settings.ra.idevid.manufacturers)
        for (const auto& file : one.trust)
            if (const auto anchors = store::read_configured_certificates(file))
                add_certificates(fresh.own, "manufacturer", "manufacturer", *anchors);
    const std::lock_guard lock{shown_mutex_};
    shown_ = std::make_shared<const Shown>(std::move(fresh));
}

std::vector<OwnCertificate> Daemon::Impl::configured_certificates()
{
    const std::lock_guard lock{shown_mutex_};
    return shown_->own;
}

std::vector<OwnCertificate> Daemon::Impl::certificates()
{
    auto own = configured_certificates();
    if (const auto offered = engine->ca_certificates("")) add_certificates(own, "ca", "CA", *offered);
    return own;
}

/// Devices are served all the same: a log's reader that hangs may not take the relays out of service.
std::vector<std::string> Daemon::Impl::warnings() const
{
    std::vector<std::string> sentences;
    for (const auto& output : log.outputs())
        if (output.is_stalled) sentences.push_back(base::describe(output));
    for (const auto& problem : crls.problems())
        sentences.push_back(problem);
    return sentences;
}

http::ServerResponse Daemon::Impl::ready()
{
    if (draining) return http::text_response(503, "draining");
    if (const auto ready = engine->ready(); !ready) return http::text_response(503, ready.error().message);
    std::vector<std::string> lines{"ready"};
    for (const auto& sentence : warnings())
        lines.push_back("warning: " + sentence);
    return http::text_lines(200, lines);
}

void Daemon::Impl::measure_est(Metrics& metrics) const
{
    const auto& recent = log.recent();
    metrics.counter("acmetool_est_requests", "EST requests answered.");
    for (const auto& [what, count] : recent.requests())
        metrics.count("acmetool_est_requests", count,
                      {{"operation", what.first}, {"status", std::to_string(what.second)}});
    metrics.histogram("acmetool_est_request_seconds", "Time from a whole EST request to its answer.");
    for (const auto& [what, histogram] : recent.latencies())
        metrics.distribution("acmetool_est_request_seconds", histogram,
                             {{"operation", what.first}, {"outcome", what.second}});
    const auto counts = listener ? listener->counts() : http::ServerCounts{};
    metrics.gauge("acmetool_est_connections_open", "Connections now.");
    metrics.value("acmetool_est_connections_open", counts.open);
    const auto count = [&metrics](const char* family, const char* help, std::uint64_t number) {
        metrics.counter(family, help);
        metrics.count(family, number);
    };
    count("acmetool_est_connections", "Connections taken.", counts.connections);
    count("acmetool_est_connections_turned_away", "Connections over a limit.", counts.turned_away);
    count("acmetool_est_handshake_failures", "TLS handshakes that failed.", counts.handshake_failures);
    count("acmetool_est_proxy_failures", "Connections of load balancers without a PROXY header.",
          counts.proxy_failures);
    count("acmetool_est_accept_pauses", "Waits for a free descriptor before a connection was taken.",
          counts.pauses);
}

void Daemon::Impl::measure_teap(Metrics& metrics) const
{
    if (!teap) return;
    metrics.gauge("acmetool_teap_sessions_open", "EAP conversations now.");
    metrics.value("acmetool_teap_sessions_open", static_cast<std::int64_t>(teap->open()));
    for (const auto& [name, count] : teap->counters()) {
        const auto family = "acmetool_teap_" + name;
        metrics.counter(family, access::Sessions::help_of(name));
        metrics.count(family, count);
    }
}

void Daemon::Impl::measure_ra(Metrics& metrics)
{
    for (const auto& [name, count] : engine->counters()) {
        const auto family = "acmetool_ra_" + name;
        metrics.counter(family, ra::Engine::help_of(name));
        metrics.count(family, count);
    }
    metrics.counter("acmetool_refusals", "Devices, vouchers and packets turned away.");
    for (const auto& [cause, count] : log.recent().refused())
        metrics.count("acmetool_refusals", count, {{"cause", cause}});
    const bool is_ready = engine->ready().has_value();
    metrics.gauge("acmetool_ready", "1: /readyz says ready; 0: the database or /cacerts is not available.");
    metrics.value("acmetool_ready", is_ready && !draining ? 1 : 0);
}

void Daemon::Impl::measure_ends(Metrics& metrics, const Json& issuer)
{
    const auto at = [&metrics](const char* family, const char* help, std::optional<std::int64_t> seconds) {
        metrics.gauge(family, help);
        if (seconds) metrics.value(family, *seconds);
    };
    at("acmetool_ca_last_success_timestamp_seconds", "When the CA, or the issuer, last issued a certificate.",
       seconds_of(issuer, "lastSuccess"));
    at("acmetool_ca_last_failure_timestamp_seconds", "When the CA, or the issuer, last failed.",
       seconds_of(issuer, "lastFailure"));
    metrics.gauge("acmetool_orders_under_way", "Orders at the CA, or waiting for it, of this process.");
    std::int64_t orders = 0;
    for (const auto* member : {"active", "resting", "queued", "waiting"})
        if (const auto found = issuer.find(member); found != issuer.end())
            orders += found->get<std::int64_t>();
    metrics.value("acmetool_orders_under_way", orders);
    metrics.gauge("acmetool_clock_offset_seconds", "This host's clock minus that of the CA.");
    if (const auto offset = issuer.find("clockOffset"); offset != issuer.end())
        metrics.value("acmetool_clock_offset_seconds", offset->get<std::int64_t>());
    const auto domains = issuer.value("authorizations", Json::object());
    const auto of_domains = [&](const char* family, const char* help, const char* member) {
        metrics.gauge(family, help);
        for (const auto& [name, domain] : domains.items())
            if (const auto time = seconds_of(domain, member))
                metrics.value(family, *time, {{"domain", name}});
    };
    of_domains("acmetool_authorization_expires_timestamp_seconds", "When the authorization of a domain ends.",
               "expires");
    of_domains("acmetool_authorization_obtained_timestamp_seconds",
               "When the authorization of a domain began.", "obtained");
    metrics.gauge("acmetool_certificate_expires_timestamp_seconds",
                  "When a certificate ends: the relay's own, a CA's, a manufacturer's.");
    std::map<std::string, base::TimePoint> ends; // of those with one name, the first
    for (const auto& one : certificates()) {
        const auto known = ends.try_emplace(one.what, one.not_after).first;
        known->second = std::min(known->second, one.not_after);
    }
    for (const auto& [what, end] : ends)
        metrics.value("acmetool_certificate_expires_timestamp_seconds", end.time_since_epoch().count(),
                      {{"certificate", what}});
    metrics.gauge("acmetool_start_timestamp_seconds", "When this process started.");
    metrics.value("acmetool_start_timestamp_seconds", started.time_since_epoch().count());
}

void Daemon::Impl::measure_outputs(Metrics& metrics) const
{
    const auto outputs = log.outputs();
    metrics.counter("acmetool_output_dropped_lines", "Lines dropped because nobody read the output.");
    for (const auto& output : outputs)
        metrics.count("acmetool_output_dropped_lines", output.dropped, {{"output", output.name}});
    metrics.gauge("acmetool_output_stalled", "Outputs (log, trace) whose reader has stalled.");
    metrics.value("acmetool_output_stalled", std::count_if(outputs.begin(), outputs.end(),
                                                           [](const auto& one) { return one.is_stalled; }));
    const auto events = keeper->counts();
    const auto count = [&metrics](const char* family, const char* help, std::uint64_t number) {
        metrics.counter(family, help);
        metrics.count(family, number);
    };
    count("acmetool_events_kept", "Events written into the store.", events.kept);
    count("acmetool_events_repeated", "Events that are only counted in the row of another.", events.repeated);
    count("acmetool_events_dropped", "Events over a limit, or that the store could not take.",
          events.dropped);
    metrics.counter("acmetool_event_deliveries",
                    "Events for the receivers in [events], and attempts that failed.");
    if (const auto delivery = log.delivery())
        for (const auto& [receiver, counts] : delivery->counts())
            for (const auto& [result, number] :
                 {std::pair{"delivered", counts.delivered}, std::pair{"dropped", counts.dropped},
                  std::pair{"failed", counts.failed}})
                metrics.count("acmetool_event_deliveries", number,
                              {{"receiver", receiver}, {"result", result}});
    metrics.gauge("acmetool_crls_stale", "Sources of CRLs without a current one.");
    metrics.value("acmetool_crls_stale", static_cast<std::int64_t>(crls.problems().size()));
}

http::ServerResponse Daemon::Impl::metrics(const http::ServerRequest& request)
{
    const auto form = wants_prometheus(request) ? MetricsForm::prometheus : MetricsForm::open_metrics;
    Metrics metrics{form};
    measure_est(metrics);
    measure_teap(metrics);
    measure_ra(metrics);
    measure_ends(metrics, engine->issuer_status());
    measure_outputs(metrics);
    return {200,
            {{"Content-Type", form == MetricsForm::prometheus
                                  ? "text/plain; version=0.0.4; charset=utf-8"
                                  : "application/openmetrics-text; version=1.0.0; charset=utf-8"}},
            metrics.text(),
            false};
}

Json Daemon::Impl::status()
{
    Json status = engine->status();
    const auto counts = listener ? listener->counts() : http::ServerCounts{};
    if (brski->has_manufacturers()) status["brski"] = brski->status();
    if (teap) {
        status["teap"] = {{"open", teap->open()}};
        for (const auto& [name, count] : teap->counters())
            status["teap"][name] = count;
    }
    if (auto known = crls.status(); !known.empty()) status["crls"] = std::move(known);
    status["certificates"] = Json::array();
    for (const auto& one : configured_certificates())
        status["certificates"].push_back({{"use", one.use},
                                          {"subject", one.subject},
                                          {"notBefore", base::to_rfc3339(one.not_before)},
                                          {"notAfter", base::to_rfc3339(one.not_after)}});
    status["pid"] = getpid();
    status["started"] = base::to_rfc3339(started);
    status["draining"] = draining.load();
    status["outputs"] = Json::array();
    for (const auto& output : log.outputs())
        status["outputs"].push_back({{"output", output.name},
                                     {"stalled", output.is_stalled},
                                     {"waiting", output.waiting},
                                     {"dropped", output.dropped}});
    status["connections"] = {{"open", counts.open},
                             {"taken", counts.connections},
                             {"turnedAway", counts.turned_away},
                             {"handshakeFailures", counts.handshake_failures},
                             {"proxyFailures", counts.proxy_failures},
                             {"acceptPauses", counts.pauses}};
    status["type"] = "relay-status";
    status["version"] = 1;
    return status;
}

http::ServerResponse Daemon::Impl::page(const std::string& target)
{
    std::shared_ptr<const Shown> shown;
    {
        const std::lock_guard lock{shown_mutex_};
        shown = shown_;
    }
    return page_for({shown->config, log.program(), shown->config.ra.store.instance, log.recent(),
                     [this] {
                         return Health{status(), certificates()};
                     },
                     base::now()},
                    target);
}

} // namespace acmetool::relay
