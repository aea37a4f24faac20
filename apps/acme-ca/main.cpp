// acme-ca: an ACME certification authority for labs and private networks (RFC 8555, RFC 9444, RFC 9773).
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <latch>
#include <thread>
#include <utility>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "acme/order_task.h"
#include "base/text.h"
#include "ca/service.h"
#include "cli/program.h"
#include "cli/signals.h"
#include "dns/name.h"
#include "dns/query.h"
#include "http/text_response.h"
#include "net/endpoint.h"
#include "store/file_lock.h"

using namespace acmetool;

namespace
{

struct Options {
    std::string folder = "ca";
    std::string listen = "127.0.0.1:14000";
    std::string admin;
    std::vector<std::string> names;
    std::string dns_server;
    unsigned http_port = 80;
    unsigned tls_port = 443;
    bool allow_loopback = false;
    std::string subdomains = "on";
    std::string new_authz = "on";
    std::string terms_of_service;
    base::Milliseconds authz_lifetime{std::chrono::hours{24 * 30}};
    base::Milliseconds order_lifetime{std::chrono::hours{24}};
    base::Milliseconds cert_lifetime{std::chrono::hours{24 * 7}};
    std::vector<std::string> profiles;
    std::vector<std::string> issuer_domains;
    bool caa = false;
    bool dns_account = false;
    std::string dns_persist = "off";
    std::string external_binding = "off";
    std::string eab_keys;
    std::string kid;
    std::string renewal_info = "on";
    std::string rate_limit;
    std::string request_log;
    std::vector<std::string> faults;
};

std::string eab_keys_file(const Options& options)
{
    return options.eab_keys.empty() ? options.folder + "/eab-keys" : options.eab_keys;
}

Result<std::uint16_t> port_number(const std::string& name, unsigned value)
{
    if (value == 0 || value > 65535) return fail(Errc::usage, name + ": must be between 1 and 65535");
    return static_cast<std::uint16_t>(value);
}

Result<ca::Authority> open_authority(const Options& options, const std::string& host, base::Context& context)
{
    std::vector<std::string> names{"localhost", "127.0.0.1", "::1"};
    names.insert(names.end(), options.names.begin(), options.names.end());
    if (host != "127.0.0.1" && host != "::1" && host != "0.0.0.0" && host != "::") names.push_back(host);
    return ca::Authority::open(options.folder, names, context.now());
}

Result<ca::ServiceOptions> service_options(const Options& options)
{
    ca::ServiceOptions service;
    service.database = options.folder + "/acme-ca.db";
    service.request_log = options.request_log;
    service.terms_of_service = options.terms_of_service;
    service.authz_lifetime = std::chrono::ceil<std::chrono::seconds>(options.authz_lifetime);
    service.order_lifetime = std::chrono::ceil<std::chrono::seconds>(options.order_lifetime);
    service.certificate_lifetime = std::chrono::ceil<std::chrono::seconds>(options.cert_lifetime);
    if (options.subdomains == "off")
        service.subdomains = ca::Subdomains::off;
    else if (options.subdomains == "ancestor-only")
        service.subdomains = ca::Subdomains::ancestor_only;
    service.new_authz = options.new_authz == "on";
    service.renewal_info = options.renewal_info == "on";
    for (const auto& text : options.profiles) {
        ACMETOOL_TRY(profile, ca::parse_profile(text));
        service.profiles.push_back(std::move(profile));
    }
    if (options.external_binding == "optional")
        service.external_binding = ca::ExternalBinding::optional;
    else if (options.external_binding == "required")
        service.external_binding = ca::ExternalBinding::required;
    service.eab_keys_file = eab_keys_file(options);
    if (!options.rate_limit.empty()) {
        ACMETOOL_TRY(limit, ca::parse_rate_limit(options.rate_limit));
        service.rate_limit = limit;
    }
    if (options.issuer_domains.size() > 10)
        return fail(Errc::usage, "--issuer-domain: at most 10 are allowed");
    for (const auto& name : options.issuer_domains) {
        ACMETOOL_TRY(domain, dns::normalize_name(name));
        service.validation.issuer_domains.push_back(domain);
    }
    service.validation.dns_account = options.dns_account;
    service.validation.caa = options.caa;
    if (options.caa && options.issuer_domains.empty())
        return fail(Errc::usage, "--caa requires --issuer-domain",
                    "give the name of the CA that CAA records contain");
    if (options.dns_persist == "url")
        service.validation.dns_persist = ca::DnsPersist::url;
    else if (options.dns_persist == "hash")
        service.validation.dns_persist = ca::DnsPersist::hash;
    else if (options.dns_persist == "both")
        service.validation.dns_persist = ca::DnsPersist::both;
    if (service.validation.dns_persist != ca::DnsPersist::off && options.issuer_domains.empty())
        return fail(Errc::usage, "--dns-persist requires --issuer-domain",
                    "give the name of the CA that the records contain");
    ACMETOOL_TRY(resolver, dns::resolver_of(options.dns_server));
    service.validation.resolver = resolver;
    ACMETOOL_TRY(http_port, port_number("--http-port", options.http_port));
    service.validation.http_port = http_port;
    ACMETOOL_TRY(tls_port, port_number("--tls-port", options.tls_port));
    service.validation.tls_port = tls_port;
    service.validation.allow_loopback = options.allow_loopback;
    return service;
}

/// "ok", and what an operator should know.
http::ServerResponse health(const ca::Service& service, const cli::Io& io)
{
    std::vector<std::string> lines{"ok"};
    if (const auto problem = service.problem()) lines.push_back("warning: " + problem->message);
    auto outputs = io.outputs();
    for (auto& output : service.outputs())
        outputs.push_back(std::move(output));
    for (const auto& output : outputs)
        if (output.is_stalled) lines.push_back("warning: " + base::describe(output));
    return http::text_lines(200, lines);
}

/// GET /faults shows the fault switches, POST /faults with NAME=VALUE lines sets them.
http::ServerResponse administer(ca::Faults& faults, const http::ServerRequest& request)
{
    if (request.target != "/faults") return http::text_response(404, "only /faults and /healthz exist");
    if (request.method == "POST") {
        std::string_view rest = request.body;
        while (!rest.empty()) {
            const auto end = std::min(rest.find('\n'), rest.size());
            if (end > 0)
                if (const auto done = faults.set(rest.substr(0, end)); !done)
                    return http::text_response(400, done.error().message);
            rest.remove_prefix(std::min(end + 1, rest.size()));
        }
    }
    return {200, {{"Content-Type", "application/json"}}, faults.to_json() + "\n", false};
}

Result<http::ServerOptions> listen_options(const std::string& text)
{
    ACMETOOL_TRY(endpoint, net::parse_listen(text, 0));
    http::ServerOptions options;
    options.address = endpoint.host;
    options.port = endpoint.port;
    return options;
}

Result<void> serve(const Options& options, cli::Io& io)
{
    io.begin_serving();
    ACMETOOL_TRY(service_settings, service_options(options));
    ACMETOOL_TRY(listening, listen_options(options.listen));
    ca::Faults faults;
    for (const auto& fault : options.faults)
        ACMETOOL_CHECK(faults.set(fault));
    // Two servers must not write the same keys and database.
    const auto lock = store::FileLock::acquire_in(options.folder, "acme-ca.lock", io.context());
    if (!lock) return fail(lock.error());
    ACMETOOL_TRY(authority, open_authority(options, listening.address, io.context()));
    listening.threads = std::max(2U, std::thread::hardware_concurrency()); // they verify signatures
    listening.certificate_file = authority.tls_certificate_file();
    listening.key_file = authority.tls_key_file();

    // The base URL needs the port and the port needs the listener: requests wait until the service is ready.
    std::unique_ptr<ca::Service> service;
    std::latch opened{1};
    ACMETOOL_TRY(server,
                 http::Server::start(listening, [&](http::ServerRequest request, http::Responder respond) {
                     opened.wait();
                     service->handle(std::move(request), std::move(respond));
                 }));
    const net::Endpoint shown{listening.address == "0.0.0.0" || listening.address == "::" ? "localhost"
                                                                                          : listening.address,
                              server->port()};
    service_settings.base_url = "https://" + shown.text();
    ACMETOOL_TRY(made, ca::Service::open(service_settings, authority, faults));
    service = std::move(made);
    opened.count_down();

    base::Json urls{{"directory", service_settings.base_url + "/directory"},
                    {"crl", service_settings.base_url + "/crl"}};
    std::unique_ptr<http::Server> admin;
    if (!options.admin.empty()) {
        ACMETOOL_TRY(admin_options, listen_options(options.admin));
        ACMETOOL_TRY(
            admin_server, http::Server::start(admin_options, [&](const http::ServerRequest& request) {
                return request.target == "/healthz" ? health(*service, io) : administer(faults, request);
            }));
        admin = std::move(admin_server);
        urls["admin"] = "http://" + net::Endpoint{admin_options.address, admin->port()}.text() + "/faults";
    }
    io.context().log(base::Level::info,
                     "listening on " + net::Endpoint{listening.address, server->port()}.text() + " (ACME)" +
                         (admin ? fmt::format(", {} (administration)", options.admin) : ""));
    ACMETOOL_CHECK(
        io.write_document("ready", {{"urls", urls},
                                    {"pid", getpid()},
                                    {"caFile", options.folder + "/tls-ca.pem"},
                                    {"rootFile", options.folder + "/root.pem"},
                                    {"alternateRootFile", options.folder + "/root-alternate.pem"}}));
    cli::next_signal(); // SIGHUP is not watched: it can only be a stop
    server->drain(std::chrono::seconds{10});
    return {};
}

Result<void> init(const Options& options, cli::Io& io)
{
    ACMETOOL_TRY(authority, open_authority(options, "127.0.0.1", io.context()));
    if (io.json()) return io.write_document("certificate", acme::certificate_document({authority.root()}));
    return io.write(authority.root().to_pem());
}

Result<void> add_eab_key(const Options& options, cli::Io& io)
{
    ACMETOOL_TRY(made, ca::add_binding_key(eab_keys_file(options), options.kid));
    return io.write_document("eab-key", {{"kid", made.kid}, {"hmacKey", made.key}});
}

Result<void> list(const Options& options, cli::Io& io)
{
    std::error_code none;
    if (!std::filesystem::is_directory(options.folder, none))
        return fail(Errc::config, fmt::format("--dir {}: no folder of a CA", base::printable(options.folder)),
                    "acme-ca serve or acme-ca init creates it", "noFolder");
    return io.write_list("certificates", "certificates", [&](const cli::AddEntry& add) {
        return ca::Service::each_certificate(options.folder + "/acme-ca.db", add);
    });
}

} // namespace

int main(int argc, char** argv)
{
    cli::Program program{"acme-ca", "ACME certification authority for labs and private networks"};
    Options options;
    auto& serving = program.verb("serve", "answer ACME requests until SIGTERM");
    serving
        .option("--dir DIR", options.folder, "Folder for keys, certificates and database; created if missing")
        .option("--listen HOST:PORT", options.listen, "Address and port; port 0 selects a free port")
        .option("--name NAME", options.names,
                "Additional name or address in the TLS certificate (repeatable)")
        .option("--dns-server HOST[:PORT]", options.dns_server, "DNS resolver for validations")
        .option("--http-port PORT", options.http_port, "Port to which http-01 validations connect")
        .option("--tls-port PORT", options.tls_port, "Port to which tls-alpn-01 validations connect")
        .flag("--allow-loopback", options.allow_loopback,
              "Allow http-01 and tls-alpn-01 validation of this host")
        .option("--issuer-domain DOMAIN", options.issuer_domains,
                "Name of the CA in CAA and dns-persist-01 records (repeatable)")
        .flag("--caa", options.caa, "Obey CAA records at issuance (RFC 8659, RFC 8657)")
        .flag("--dns-account", options.dns_account, "Offer dns-account-01")
        .option("--dns-persist MODE", options.dns_persist,
                "Offer dns-persist-01 with the account's URL, a hash of it, or both: off, url, hash or both")
        .choices({"off", "url", "hash", "both"})
        .option("--subdomains MODE", options.subdomains,
                "Subdomain authorization (RFC 9444): on, off or ancestor-only")
        .choices({"on", "off", "ancestor-only"})
        .option("--newauthz MODE", options.new_authz, "Pre-authorization: on or off")
        .choices({"on", "off"})
        .option("--terms-of-service URL", options.terms_of_service,
                "Terms of service to which clients must agree")
        .option("--authz-lifetime DURATION", options.authz_lifetime, "Lifetime of valid authorizations")
        .option("--order-lifetime DURATION", options.order_lifetime, "Lifetime of orders")
        .option("--cert-lifetime DURATION", options.cert_lifetime, "Lifetime of certificates")
        .option("--profile NAME=LIFETIME", options.profiles,
                "Profile, NAME=LIFETIME[:PURPOSE+PURPOSE]; the first is the default (repeatable)")
        .option("--eab MODE", options.external_binding, "External account binding: off, optional or required")
        .choices({"off", "optional", "required"})
        .option("--eab-keys FILE", options.eab_keys, "Binding keys; default: eab-keys in --dir")
        .option("--renewal-info MODE", options.renewal_info, "Renewal information (RFC 9773): on or off")
        .choices({"on", "off"})
        .option("--rate-limit COUNT/DURATION", options.rate_limit, "Orders allowed per account, such as 5/1h")
        .option("--request-log FILE", options.request_log,
                "Append one JSON document per request to this file")
        .option("--fault NAME=VALUE", options.faults, "Inject a fault (repeatable)")
        .option("--admin HOST:PORT", options.admin, "Listener for changing faults at run time")
        .without(cli::kNetworkOptions)
        .example("acme-ca serve --dir ca --listen 127.0.0.1:14000 --dns-server 127.0.0.1:5300")
        .action([&](cli::Io& io) { return serve(options, io); });
    auto& initialising = program.verb("init", "create keys and certificates; write the root certificate");
    initialising.option("--dir DIR", options.folder, "Folder to create")
        .option("--name NAME", options.names,
                "Additional name or address in the TLS certificate (repeatable)")
        .without(cli::kNetworkOptions)
        .example("acme-ca init --dir ca -o root.pem")
        .action([&](cli::Io& io) { return init(options, io); });
    auto& binding = program.verb("eab", "create and print a key for external account binding");
    binding.option("--dir DIR", options.folder, "Folder of the CA")
        .option("--eab-keys FILE", options.eab_keys, "Binding keys; default: eab-keys in --dir")
        .option("--kid ID", options.kid, "Key identifier; random if absent")
        .without(cli::kNetworkOptions)
        .example("acme-ca eab --dir ca --kid customer1")
        .action([&](cli::Io& io) { return add_eab_key(options, io); });
    auto& listing = program.verb("list", "list issued certificates");
    listing.option("--dir DIR", options.folder, "Folder of the CA")
        .without(cli::kNetworkOptions)
        .example("acme-ca list --dir ca")
        .action([&](cli::Io& io) { return list(options, io); });
    return program.main(argc, argv);
}
