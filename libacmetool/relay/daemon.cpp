#include "relay/daemon.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <optional>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "access/service.h"
#include "base/json.h"
#include "base/time.h"
#include "crypto/path.h"
#include "http/text_response.h"
#include "http/tls_client.h"
#include "http/tls_context.h"
#include "net/endpoint.h"
#include "ra/ca_files.h"
#include "registrar/est_adapter.h"
#include "registrar/gate.h"
#include "registrar/registrar.h"
#include "registrar/teap_adapter.h"
#include "relay/ca_learner.h"
#include "relay/crl_keeper.h"
#include "store/configured.h"
#include "store/special_file.h"

namespace acmetool::relay
{
namespace
{

using base::Json;

/// For an order of the relay's own, before devices are served.
constexpr std::chrono::seconds kLongestOwnOrder{30};

/// What a URL says of an address that means "all of them".
std::string shown_host(const std::string& host)
{
    return host == "0.0.0.0" || host == "::" ? "localhost" : host;
}

/// OpenMetrics 1.0: TYPE and HELP once a family, counters end in _total.
class Metrics
{
public:
    void counter(const std::string& family, const std::string& help)
    {
        text_ += fmt::format("# TYPE {0} counter\n# HELP {0} {1}\n", family, help);
    }
    void gauge(const std::string& family, const std::string& help, std::uint64_t value)
    {
        text_ += fmt::format("# TYPE {0} gauge\n# HELP {0} {1}\n{0} {2}\n", family, help, value);
    }
    void count(const std::string& family, const std::string& labels, std::uint64_t value)
    {
        text_ += fmt::format("{}_total{} {}\n", family, labels, value);
    }
    std::string text() const { return text_ + "# EOF\n"; }

private:
    std::string text_;
};

} // namespace

namespace
{

/// A pipe or a device would be read once only, or without end. What is absent is reported where it is read.
Result<void> check_regular(const NamedFile& named)
{
    if (!store::is_special(named.path)) return {};
    return fail(Errc::config, fmt::format("{}: {} is not a regular file", named.where, named.path),
                "each reload reads it anew: name a regular file", "notRegular");
}

} // namespace

Result<Config> load_config(const std::string& file, Kind kind)
{
    if (file.empty())
        return fail(Errc::usage, "no configuration file given", "name it with --config", "noConfig");
    ACMETOOL_TRY(text, store::read_configured(file, "--config"));
    ACMETOOL_TRY(config, parse_relay_config(text, file, kind));
    for (const auto& named : config.files)
        ACMETOOL_CHECK(check_regular(named));
    return config;
}

Result<est::ServerOptions> est_options(const Config& config)
{
    est::ServerOptions options;
    options.logins = config.logins;
    options.strict_body = config.strict_body;
    options.wrap = config.wrap;
    if (config.cmc_errors) {
        ACMETOOL_TRY(chain, store::read_configured_certificates(config.http.certificate_file));
        ACMETOOL_TRY(key, store::read_configured_key(config.http.key_file));
        options.signer = est::ErrorSigner{std::move(key), chain.front(), {chain.begin() + 1, chain.end()}};
    }
    return options;
}

namespace
{

std::string shown_store(const store::Options& store)
{
    return store.is_shared() ? "the database on the server" : store.sqlite;
}

/// Makes `running` the same as `fresh` but for what only a restart can change, and says what that is.
std::vector<std::string> keep_fixed(Config& running, Config fresh)
{
    std::vector<std::string> kept;
    const auto keep = [&kept](const char* key, auto& value, const auto& old, const std::string& shown) {
        if (value == old) return;
        value = old;
        kept.push_back(fmt::format("{} changes with a restart only: {} stays", key, shown));
    };
    keep("[listen] est", fresh.est, running.est, running.est.text());
    keep("[listen] admin", fresh.admin, running.admin, running.admin.text());
    if (fresh.teap && running.teap)
        keep("[listen] radius", fresh.teap->radius, running.teap->radius, running.teap->radius.text());
    const bool is_file = !fresh.ra.store.is_shared() && !running.ra.store.is_shared();
    keep(is_file ? "[store] sqlite" : "[store]", fresh.ra.store, running.ra.store,
         shown_store(running.ra.store));
    keep("[limits] threads", fresh.http.threads, running.http.threads, std::to_string(running.http.threads));
    running = std::move(fresh);
    return kept;
}

void tell_change(std::vector<std::string>& changed, std::string_view what, std::string_view unit,
                 std::size_t before, std::size_t now)
{
    if (before != now) changed.push_back(fmt::format("{}: {} {} -> {}", what, before, unit, now));
}

/// The EST listener's options, with what it has to say.
http::ServerOptions listener_options(const Config& config, EventLog& log)
{
    auto options = config.http;
    options.out_of_descriptors = [&log] {
        log.log(base::Level::warning,
                "connections have to wait: this process has too many files open (LimitNOFILE)");
    };
    return options;
}

/// The configuration with what depends on the certificate in [tls]: the certificates that follow it in the
/// handshakes, and its anchor for TEAP.
Result<Config> completed(Config config)
{
    ACMETOOL_TRY(chain, store::read_configured_certificates(config.http.certificate_file));
    ACMETOOL_TRY(files, ra::read_ca_files(config.ra.cacerts));
    config.http.issuers = ra::certificates_above(chain, files);
    if (config.teap) {
        config.teap->issuers = config.http.issuers;
        config.teap->settings.own_anchors = ra::anchor_in(chain);
    }
    return config;
}

/// What signs voucher-requests: the certificate that pledges see (RFC 8995 section 5.5). Nothing is signed,
/// and no purpose asked for, where no manufacturer has a MASA.
Result<brski::Signer> brski_signer(const Config& config)
{
    if (config.brski.manufacturers.empty()) return brski::Signer{};
    ACMETOOL_TRY(identity, http::load_identity(config.http.certificate_file, config.http.key_file, ""));
    // RFC 8995 section 5.5: MASAs take requests of registrars alone, and know them by this purpose.
    if (!crypto::has_extended_key_usage(identity.certificates.front(), crypto::kCmcRaPurpose))
        return fail(Errc::config,
                    "[tls] certificate: a BRSKI registrar's has id-kp-cmcRA in its extended key usage",
                    "have it issued with extendedKeyUsage serverAuth and 1.3.6.1.5.5.7.3.28", "noCmcRa");
    return brski::Signer{identity.key, identity.certificates};
}

} // namespace

/// The order of the members is that in which they may not go: listeners first of all, the registration
/// authority with the decisions it owes before the EST server that waits for them.
struct Daemon::Impl {
    Config config;
    EventLog& log;
    base::TimePoint started = base::now();
    std::atomic<bool> draining{false};
    std::shared_ptr<EventKeeper> keeper; ///< also of `log`
    CrlKeeper crls;
    std::unique_ptr<est::Server> est;
    std::unique_ptr<registrar::Gate>
        gate; ///< this and the next three let everybody pass while there is no manufacturer
    std::unique_ptr<registrar::Registrar> brski;
    std::unique_ptr<registrar::EstAdapter> pledges;
    std::unique_ptr<registrar::TeapAdapter> vouchers;
    std::unique_ptr<access::Service> teap; ///< its sessions wait for the engine's decisions, too
    std::unique_ptr<ra::Engine> engine;
    std::unique_ptr<http::Server> listener;
    std::unique_ptr<http::Server> admin;

    Impl(Config settings, EventLog& events) : config(std::move(settings)), log(events), crls(events) {}
    http::ServerResponse administer(const http::ServerRequest& request) const;
    std::string metrics() const;
    Json status() const;
};

std::string Daemon::Impl::metrics() const
{
    Metrics metrics;
    metrics.counter("acmetool_est_requests", "Requests answered, by operation and status.");
    for (const auto& [what, count] : log.requests())
        metrics.count("acmetool_est_requests",
                      fmt::format("{{operation=\"{}\",status=\"{}\"}}", what.first, what.second), count);
    const auto counts = listener ? listener->counts() : http::ServerCounts{};
    if (teap) {
        metrics.gauge("acmetool_teap_sessions_open", "EAP conversations now.", teap->open());
        for (const auto& [name, count] : teap->counters()) {
            metrics.counter("acmetool_teap_" + name, "Of the RADIUS and TEAP server since the start.");
            metrics.count("acmetool_teap_" + name, "", count);
        }
    }
    metrics.gauge("acmetool_est_connections_open", "Connections now.", counts.open);
    metrics.counter("acmetool_est_connections", "Connections taken.");
    metrics.count("acmetool_est_connections", "", counts.connections);
    metrics.counter("acmetool_est_connections_turned_away", "Connections over a limit.");
    metrics.count("acmetool_est_connections_turned_away", "", counts.turned_away);
    metrics.counter("acmetool_est_handshake_failures", "TLS handshakes that failed.");
    metrics.count("acmetool_est_handshake_failures", "", counts.handshake_failures);
    metrics.counter("acmetool_est_proxy_failures", "Connections of load balancers without a PROXY header.");
    metrics.count("acmetool_est_proxy_failures", "", counts.proxy_failures);
    metrics.counter("acmetool_est_accept_pauses",
                    "Waits for a free descriptor before a connection was taken.");
    metrics.count("acmetool_est_accept_pauses", "", counts.pauses);
    const auto outputs = log.outputs();
    metrics.counter("acmetool_output_dropped_lines", "Lines dropped because nobody read the output.");
    for (const auto& output : outputs)
        metrics.count("acmetool_output_dropped_lines", fmt::format("{{output=\"{}\"}}", output.name),
                      output.dropped);
    metrics.gauge("acmetool_output_stalled", "Outputs (log, trace) whose reader has stalled.",
                  static_cast<std::uint64_t>(std::count_if(outputs.begin(), outputs.end(),
                                                           [](const auto& one) { return one.is_stalled; })));
    const auto events = keeper->counts();
    const auto count_events = [&](const std::string& what, const std::string& help, std::uint64_t count) {
        metrics.counter("acmetool_events_" + what, help);
        metrics.count("acmetool_events_" + what, "", count);
    };
    count_events("kept", "Events written into the store.", events.kept);
    count_events("repeated", "Events that are only counted in the row of another.", events.repeated);
    count_events("dropped", "Events over a limit, or that the store could not take.", events.dropped);
    for (const auto& [name, count] : engine->counters()) {
        metrics.counter("acmetool_ra_" + name, "Of the registration authority since the start.");
        metrics.count("acmetool_ra_" + name, "", count);
    }
    return metrics.text();
}

Json Daemon::Impl::status() const
{
    Json status = engine->status();
    const auto counts = listener ? listener->counts() : http::ServerCounts{};
    status["brski"] = brski->status();
    if (teap) {
        status["teap"] = {{"open", teap->open()}};
        for (const auto& [name, count] : teap->counters())
            status["teap"][name] = count;
    }
    if (auto known = crls.status(); !known.empty()) status["crls"] = std::move(known);
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

http::ServerResponse Daemon::Impl::administer(const http::ServerRequest& request) const
{
    if (request.method != "GET" && request.method != "HEAD") {
        auto response = http::text_response(405, "only GET is here");
        response.headers.emplace_back("Allow", "GET, HEAD");
        return response;
    }
    if (request.target == "/healthz") return http::text_response(200, "ok");
    if (request.target == "/readyz") {
        if (draining) return http::text_response(503, "draining");
        const auto ready = engine->ready();
        if (!ready) return http::text_response(503, ready.error().message);
        // Devices are served all the same: a log's reader that hangs may not take the relays out of service.
        std::vector<std::string> lines{"ready"};
        for (const auto& output : log.outputs())
            if (output.is_stalled) lines.push_back("warning: " + base::describe(output));
        for (const auto& problem : crls.problems())
            lines.push_back("warning: " + problem);
        return http::text_lines(200, lines);
    }
    if (request.target == "/metrics")
        return {200,
                {{"Content-Type", "application/openmetrics-text; version=1.0.0; charset=utf-8"}},
                metrics(),
                false};
    if (request.target == "/status")
        return {200, {{"Content-Type", "application/json"}}, base::to_text(status()) + "\n", false};
    return http::text_response(404, "here are /healthz, /readyz, /metrics and /status");
}

Daemon::Daemon(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<Daemon>> Daemon::start(const Config& given, EventLog& log, base::Context& context)
{
    ACMETOOL_TRY(config, completed(given));
    auto impl = std::make_unique<Impl>(config, log);
    auto* const raw = impl.get();
    ACMETOOL_TRY(est_settings, est_options(config));
    const auto& store = config.ra.store;
    impl->keeper =
        std::make_shared<EventKeeper>(EventKeeper::Options{store.is_shared() ? store.instance : ""});
    impl->keeper->enable(config.ra.keep_events.count() > 0);
    log.keep_by(impl->keeper);
    impl->crls.use(config);
    ACMETOOL_TRY(engine, ra::Engine::open(config.ra, &log, context, impl->crls.fetched()));
    impl->engine = std::move(engine);
    impl->keeper->begin(impl->engine->commits());
    for (const auto& warning : impl->engine->warnings())
        log.log(base::Level::warning, warning);
    learn_intermediates(config, *impl->engine, log, kLongestOwnOrder, context);
    ACMETOOL_TRY(signer, brski_signer(config));
    ACMETOOL_TRY(reader, impl->engine->connect());
    ACMETOOL_TRY(registrar, registrar::Registrar::open(config.brski, std::move(signer),
                                                       {impl->engine.get(),
                                                        &log,
                                                        impl->engine->commits(),
                                                        std::move(reader),
                                                        {},
                                                        {},
                                                        impl->crls.fetched(),
                                                        [raw] { return raw->engine->run(); }}));
    impl->brski = std::move(registrar);
    impl->pledges = std::make_unique<registrar::EstAdapter>(*impl->brski, log);
    impl->gate = std::make_unique<registrar::Gate>(*impl->engine, *impl->brski);
    impl->est = std::make_unique<est::Server>(
        *impl->gate, std::move(est_settings), [&log](const est::RequestEvent& event) { log.request(event); },
        [&log](const est::RequestEvent& event) { log.arrival(event); });
    if (config.serves_est) {
        ACMETOOL_TRY(listener,
                     http::Server::start(listener_options(config, log),
                                         [raw](const http::ServerRequest& request, http::Responder respond) {
                                             if (registrar::EstAdapter::is_target(request.target))
                                                 raw->pledges->handle(request, std::move(respond));
                                             else
                                                 raw->est->handle(request, std::move(respond));
                                         }));
        impl->listener = std::move(listener);
    }
    if (config.teap) {
        impl->vouchers = std::make_unique<registrar::TeapAdapter>(*impl->brski);
        ACMETOOL_TRY(teap, access::Service::start(*config.teap, *impl->gate, impl->vouchers.get(), log));
        impl->teap = std::move(teap);
    }
    http::ServerOptions admin_options;
    admin_options.address = config.admin.host;
    admin_options.port = config.admin.port;
    admin_options.threads = 1;
    admin_options.thread_name = "admin";
    admin_options.connections = 64;
    ACMETOOL_TRY(admin, http::Server::start(admin_options, [raw](const http::ServerRequest& request) {
                     return raw->administer(request);
                 }));
    impl->admin = std::move(admin);
    return std::unique_ptr<Daemon>{new Daemon(std::move(impl))};
}

Daemon::~Daemon()
{
    if (impl_->teap) impl_->teap->stop(); // no packets while the engine gives its last decisions
    impl_->brski->stop();
    impl_->keeper->finish();
}

std::string Daemon::radius_url() const
{
    if (!impl_->teap) return {};
    return "radius://" +
           net::Endpoint{shown_host(impl_->config.teap->radius.host), impl_->teap->port()}.text();
}

std::string Daemon::est_url() const
{
    if (!impl_->listener) return {};
    return "https://" + net::Endpoint{shown_host(impl_->config.est.host), impl_->listener->port()}.text() +
           "/.well-known/est";
}

std::string Daemon::admin_url() const
{
    return "http://" + net::Endpoint{shown_host(impl_->config.admin.host), impl_->admin->port()}.text();
}

std::vector<std::string> Daemon::addresses() const
{
    const auto& config = impl_->config;
    std::vector<std::string> all;
    if (impl_->listener)
        all.push_back(net::Endpoint{config.est.host, impl_->listener->port()}.text() + " (EST)");
    if (impl_->teap)
        all.push_back(net::Endpoint{config.teap->radius.host, impl_->teap->port()}.text() + " (RADIUS)");
    all.push_back(net::Endpoint{config.admin.host, impl_->admin->port()}.text() + " (administration)");
    return all;
}

Result<Reloaded> Daemon::reload(const Config& given, base::Context& context)
{
    ACMETOOL_TRY(config, completed(given));
    // All that can fail is done before anything changes.
    std::vector<std::function<void()>> parts;
    const auto add = [&parts](Result<std::function<void()>> prepared) -> Result<void> {
        if (!prepared) return fail(std::move(prepared).error());
        parts.push_back(std::move(*prepared));
        return {};
    };
    ACMETOOL_TRY(est_settings, est_options(config));
    ACMETOOL_CHECK(add(impl_->engine->prepare(config.ra)));
    ACMETOOL_TRY(signer, brski_signer(config));
    ACMETOOL_CHECK(add(impl_->brski->prepare(config.brski, std::move(signer))));
    if (impl_->listener) ACMETOOL_CHECK(add(impl_->listener->prepare(listener_options(config, impl_->log))));
    if (impl_->teap && config.teap) ACMETOOL_CHECK(add(impl_->teap->prepare(*config.teap)));

    const auto before = impl_->engine->counts();
    Reloaded done;
    done.kept = keep_fixed(impl_->config, config);
    impl_->keeper->enable(impl_->config.ra.keep_events.count() > 0);
    impl_->crls.use(impl_->config);
    impl_->est->configure(std::move(est_settings));
    // The engine last: it may have to wait for the end of its issuer.
    for (auto part = parts.rbegin(); part != parts.rend(); ++part)
        (*part)();
    const auto now = impl_->engine->counts();
    tell_change(done.changed, "inventory", "devices", before.devices, now.devices);
    tell_change(done.changed, "users", "users", before.users, now.users);
    tell_change(done.changed, "users of Digest", "users", before.digest_users, now.digest_users);
    tell_change(done.changed, "labels", "labels", before.labels, now.labels);
    done.warnings = impl_->engine->warnings();
    learn_intermediates(impl_->config, *impl_->engine, impl_->log, std::chrono::seconds{0}, context);
    return done;
}

void Daemon::drain()
{
    impl_->draining = true;
    if (impl_->teap) impl_->teap->drain(impl_->config.drain);
    if (impl_->listener) impl_->listener->drain(impl_->config.drain);
}

} // namespace acmetool::relay
