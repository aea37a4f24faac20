#include "relay/daemon.h"

#include <algorithm>
#include <optional>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "crypto/path.h"
#include "http/tls_client.h"
#include "http/tls_context.h"
#include "net/endpoint.h"
#include "ra/ca_files.h"
#include "relay/ca_learner.h"
#include "relay/daemon_impl.h"
#include "store/configured.h"
#include "store/special_file.h"

namespace acmetool::relay
{
namespace
{

/// For an order of the relay's own, before devices are served.
constexpr std::chrono::seconds kLongestOwnOrder{30};

/// What a URL says of an address that means "all of them".
std::string shown_host(const std::string& host)
{
    return host == "0.0.0.0" || host == "::" ? "localhost" : host;
}

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
    keep("[admin] listen", fresh.remote_admin.listen, running.remote_admin.listen,
         running.remote_admin.listen ? running.remote_admin.listen->text() : "none");
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
http::ServerOptions listener_options(const Config& config, EventLog& log, HandshakeLog& handshakes)
{
    auto options = config.http;
    options.out_of_descriptors = [&log] {
        log.log(base::Level::warning,
                "connections have to wait: this process has too many files open (LimitNOFILE)");
    };
    options.handshake_failed = [&handshakes](const http::HandshakeFailure& failure) {
        handshakes.take(failure);
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

/// Null if nobody is to be told.
Result<std::shared_ptr<EventDelivery>> start_delivery(const Config& config, EventLog& log)
{
    if (config.events.hook.empty() && config.events.webhook.empty()) return std::shared_ptr<EventDelivery>{};
    ACMETOOL_TRY(delivery, EventDelivery::start(config.events, [&log](const std::string& sentence) {
                     log.log(base::Level::warning, sentence);
                 }));
    return std::shared_ptr<EventDelivery>{std::move(delivery)};
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

Daemon::Daemon(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<Daemon>> Daemon::start(const Config& given, EventLog& log, base::Context& context)
{
    ACMETOOL_TRY(config, completed(given));
    auto impl = std::make_unique<Impl>(config, log);
    auto* const raw = impl.get();
    ACMETOOL_TRY(est_settings, est_options(config));
    ACMETOOL_TRY(delivery, start_delivery(config, log));
    log.deliver_by(std::move(delivery));
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
                     http::Server::start(listener_options(config, log, impl->handshakes),
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
    impl->show(config);
    ACMETOOL_TRY(admin,
                 Administration::start(
                     config, {[raw] { return raw->ready(); },
                              [raw](const http::ServerRequest& request) { return raw->metrics(request); },
                              [raw]() -> http::ServerResponse {
                                  return {200,
                                          {{"Content-Type", "application/json"}},
                                          base::to_text(raw->status()) + "\n",
                                          false};
                              },
                              [raw](const std::string& target) { return raw->page(target); }}));
    impl->admin = std::move(admin);
    return std::unique_ptr<Daemon>{new Daemon(std::move(impl))};
}

Daemon::~Daemon()
{
    if (impl_->teap) impl_->teap->stop(); // no packets while the engine gives its last decisions
    impl_->brski->stop();
    impl_->keeper->finish();
    impl_->log.deliver_by(nullptr); // its receivers complain to the log
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
    if (const auto port = impl_->admin->remote_port())
        all.push_back(net::Endpoint{config.remote_admin.listen->host, *port}.text() +
                      " (administration from other hosts)");
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
    if (impl_->listener)
        ACMETOOL_CHECK(
            add(impl_->listener->prepare(listener_options(config, impl_->log, impl_->handshakes))));
    if (impl_->teap && config.teap) ACMETOOL_CHECK(add(impl_->teap->prepare(*config.teap)));
    ACMETOOL_CHECK(add(impl_->admin->prepare(config)));
    ACMETOOL_TRY(delivery, start_delivery(config, impl_->log));
    parts.emplace_back([&log = impl_->log, delivery = std::move(delivery)] { log.deliver_by(delivery); });

    const auto before = impl_->engine->counts();
    Reloaded done;
    done.kept = keep_fixed(impl_->config, config);
    impl_->keeper->enable(impl_->config.ra.keep_events.count() > 0);
    impl_->show(impl_->config);
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
