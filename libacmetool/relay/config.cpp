#include "relay/config.h"

#include "base/text.h"
#include "dns/name.h"
#include "net/address_range.h"
#include "net/endpoint.h"
#include "ra/csr_policy.h"
#include "relay/brski_section.h"
#include "relay/config_section.h"
#include "relay/teap_section.h"

namespace acmetool::relay
{
namespace
{

void read_listen(Section section, Config& config)
{
    section.endpoint("est", config.est, "address and port for devices");
    net::Endpoint radius = access::Options{}.radius;
    section.endpoint("radius", radius, "address and UDP port for RADIUS; est-relay serves TEAP only with it");
    if (section.has("radius") && !config.teap) config.teap.emplace();
    config.serves_est = config.serves_est || section.has("est");
    if (config.teap) config.teap->radius = radius;
    section.endpoint("admin", config.admin,
                     "address and port for /healthz, /readyz, /metrics and /status, plain HTTP");
    std::vector<std::string> proxies;
    section.list(
        "proxy_protocol", proxies,
        "load balancers, by address or prefix: their connections begin with a PROXY header, version 1 or "
        "2, that names the device's address");
    for (const auto& proxy : proxies) {
        if (auto range = net::AddressRange::parse(proxy))
            config.http.proxies.push_back(*range);
        else
            section.refuse("proxy_protocol", range.error().message);
    }
    section.finish();
}

void read_tls(Section section, Config& config)
{
    std::string version = "1.2";
    section.file("certificate", config.http.certificate_file,
                 "the relay's own certificate chain, PEM, end entity first; from any CA");
    section.file("key", config.http.key_file,
                 "its key, PEM; default: certificate with .key in place of .pem");
    section.choice("min_version", version, {"1.2", "1.3"}, "oldest TLS version taken");
    section.require("certificate", !config.http.certificate_file.empty());
    if (config.http.key_file.empty())
        config.http.key_file =
            std::filesystem::path{config.http.certificate_file}.replace_extension(".key").string();
    config.http.min_tls = version == "1.3" ? http::TlsVersion::tls_1_3 : http::TlsVersion::tls_1_2;
    section.finish();
}

void read_idevid(Section section, Config& config)
{
    auto& idevid = config.ra.idevid;
    section.files("trust", idevid.trust, "PEM files of manufacturer CAs whose devices may enrol");
    section.file("inventory", idevid.inventory, "CSV file of known devices: serial[,label][,name...]");
    section.flag("accept_any", idevid.accept_any,
                 "take every device of these manufacturers, inventory or not");
    section.finish();
}

void read_issued(Section section, Config& config)
{
    section.flag("ra_issued", config.ra.issued.ra_issued, "take certificates that this relay issued");
    section.choice("eku", config.ra.issued.eku, {"any", "clientAuth"}, "extended key usage wanted of them");
    section.finish();
}

void read_basic(Section section, Config& config)
{
    section.file("file", config.ra.users_file,
                 "users for HTTP Basic, a line each: user:crypt(3) hash:allowed names");
    section.finish();
}

void read_acme(Section section, Config& config)
{
    section.file("account", config.ra.account_file, "account file, from acme-account register");
    section.file("account_passphrase_file", config.ra.account_passphrase_file,
                 "file with the passphrase of the account's key, where it is encrypted");
    section.list("issuer", config.ra.issuer_program,
                 "or a program, as argument list, that takes a CSR and prints JSON");
    section.require("account", config.ra.account_file.empty() == !config.ra.issuer_program.empty());
    if (!config.ra.account_file.empty() && !config.ra.issuer_program.empty())
        section.refuse("issuer", "either account or issuer, not both");
    if (config.ra.account_file.empty())
        section.refuse("account_passphrase_file", "there is no account whose key it could open");
    section.finish();
}

void read_domain(Section section, Config& config)
{
    ra::DomainOptions domain;
    section.text("name", domain.name,
                 "a domain that the relay controls; names at and below it are certified");
    section.flag("preauthorize", domain.preauthorize,
                 "authorize it with all below it by newAuthz (RFC 9444)");
    section.file("authz_file", domain.authz_file, "an authorization that acme-preauth obtained");
    section.margin("renew_before", domain.renew_before, "renew the authorization so long before its end");
    section.require("name", !domain.name.empty());
    if (!domain.name.empty()) {
        if (auto name = dns::normalize_name(domain.name))
            domain.name = std::move(*name);
        else
            section.refuse("name", name.error().message);
    }
    section.finish();
    config.ra.domains.push_back(std::move(domain));
}

void read_dns(Section section, Config& config)
{
    auto& solver = config.ra.solver;
    section.text("update", solver.dns_update, "dns-01 by RFC 2136 at this server, host[:port]");
    section.file("tsig_key", solver.tsig_key, "TSIG key file, as tsig-keygen prints it or alg:name:base64");
    section.list("allow_zones", solver.dns_allow_zones, "zones that a CNAME may lead the update to");
    section.file("hook", solver.hook, "or a program that fulfils challenges; acmetool-hooks(7)");
    section.choice("hook_style", solver.hook_style, {"uacme", "certbot", "dehydrated", "lego"},
                   "how the program is called");
    section.file("hook_cleanup", solver.hook_cleanup, "certbot style: program that removes what hook made");
    section.duration("hook_timeout", solver.hook_timeout, "kill a hook that runs longer");
    section.file("webroot", solver.webroot, "or http-01 by a file under this folder");
    section.text("resolver", solver.resolver, "find name servers through this resolver, host[:port]");
    section.list("name_servers", solver.name_servers, "ask these instead of the zone's own");
    section.flag("no_check", solver.no_dns_check, "do not look whether the record is visible");
    section.duration("wait", solver.dns_wait, "how long the record may take to become visible");
    section.finish();
}

void read_cacerts(Section section, Config& config)
{
    section.file("root", config.ra.root_file, "the trust anchor that devices get, PEM, self-signed");
    section.require("root", !config.ra.root_file.empty());
    section.finish();
}

void read_est(Section section, Config& config)
{
    std::string pop = "optional";
    std::string errors = "text";
    std::string wrap = "auto";
    section.duration("wait", config.ra.wait, "how long a request may wait for its certificate before 202");
    section.duration("retry_after", config.ra.retry_after, "told with 202");
    section.choice("pop", pop, {"off", "optional", "required"},
                   "the CSR's challengePassword holds the channel binding");
    section.choice("error_format", errors, {"text", "cmc"}, "refusals as text or as signed CMC response");
    section.choice("b64_wrap", wrap, {"auto", "64", "0"},
                   "line length of base64 in replies, 0: one line, auto: as the client seems to need it");
    section.flag("strict_body", config.strict_body, "refuse CSRs that come in PEM or DER");
    section.duration("remember_failure", config.ra.remember_failure,
                     "a failed order is not tried again before");
    section.margin("reissue_margin", config.ra.reissue_margin,
                   "a cached certificate this near its end is not served again");
    config.ra.pop = pop == "off" ? ra::Pop::off : pop == "required" ? ra::Pop::required : ra::Pop::optional;
    config.cmc_errors = errors == "cmc";
    if (wrap != "auto") config.wrap = wrap == "64" ? 64 : 0;
    section.finish();
}

void read_store(Section section, Config& config)
{
    section.file("sqlite", config.ra.store_file, "database file; made if missing");
    section.finish();
}

void read_label(Section section, const std::string& name, Config& config)
{
    ra::LabelOptions label;
    section.text("domain", label.domain,
                 "one of the domains, or a name below one; default: the first domain");
    section.text("profile", label.profile, "ACME profile");
    section.choice("san", label.san, {"idevid-serial", "table", "random"},
                   "where a device's name comes from: its serial number, the inventory, or chance");
    section.text("key_type", label.key_type, "key demanded, as in \"ec:P-256\" or \"rsa:2048\"");
    section.list("allow", label.allow,
                 "what else requests may have: OIDs of extensions, key purposes and attributes, names of key "
                 "usages");
    for (const auto& word : label.allow)
        if (!ra::can_be_allowed(word))
            section.refuse("allow",
                           "\"" + base::printable(word, 60) +
                               "\" is no OID in dotted decimal, and no key usage that can be allowed");
    section.finish();
    config.ra.labels[name] = std::move(label);
}

void read_limits(Section section, Config& config)
{
    auto& http = config.http;
    auto& limits = config.ra.limits;
    section.size("body", http.body_limit, "largest request body");
    section.size("header", http.header_limit, "largest request header");
    section.duration("idle", http.idle_timeout, "a kept connection without a request closes");
    section.duration("handshake", http.handshake_timeout, "time for the TLS handshake");
    section.duration("request", http.request_timeout,
                     "time for a request to arrive, and for its reply to leave");
    section.number("connections", http.connections, 1, "connections at once");
    section.number("connections_per_address", http.connections_per_address, 1, "of one address");
    section.number("requests_per_connection", http.requests_per_connection, 1, "then it closes");
    section.number("threads", http.threads, 1, "threads that serve connections");
    section.number("orders_per_device", limits.orders_per_device, 1,
                   "new orders of one device in budget_window");
    section.number("orders_in_total", limits.orders_in_total, 1,
                   "new orders of all devices in budget_window");
    section.number("renewal_reserve", limits.renewal_reserve, 0, "of orders_in_total, kept for renewals");
    section.duration("budget_window", limits.budget_window, "time that the budgets count");
    section.number("requests_in_flight", limits.requests_in_flight, 1, "requests to the ACME server at once");
    section.duration("drain", config.drain, "time for requests under way after SIGTERM");
    if (limits.renewal_reserve >= limits.orders_in_total)
        section.refuse("renewal_reserve", "has to be less than orders_in_total");
    section.finish();
}

/// The sections of the file, each exactly once; also where it has none, for the required keys in them.
void read_all(const toml::table& root, Reading& reading, Config& config)
{
    const std::vector<std::string> known{"listen",  "tls",    "clients", "acme",        "domain", "dns",
                                         "cacerts", "est",    "store",   "label",       "limits", "teap",
                                         "client",  "accept", "brski",   "manufacturer"};
    for (const auto& [key, node] : root) {
        const std::string given{key.str()};
        if (std::find(known.begin(), known.end(), given) == known.end()) {
            const auto meant = cli::nearest(given, known);
            reading.fail(error_at(
                reading.file, key.source(),
                fmt::format("there is no section [{}]", base::printable(given, 60)),
                meant.empty() ? std::string{kHint} : fmt::format("did you mean [{}]?", meant), "unknownKey"));
        } else if (const bool many =
                       given == "domain" || given == "client" || given == "accept" || given == "manufacturer";
                   !(many ? node.is_array_of_tables() : node.is_table())) {
            reading.fail(error_at(reading.file, node.source(),
                                  many ? fmt::format("each {0} is written as [[{0}]]", given)
                                       : fmt::format("[{}] has to be a section", given)));
        }
    }
    const auto section = [&](const std::string& name) {
        return Section{reading, name, root.at_path(name).as_table()};
    };
    read_listen(section("listen"), config);
    read_tls(section("tls"), config);
    if (const auto* clients = root["clients"].as_table())
        for (const auto& [key, node] : *clients)
            if (const auto kind = key.str();
                !node.is_table() || (kind != "idevid" && kind != "issued" && kind != "basic"))
                reading.fail(
                    error_at(reading.file, key.source(),
                             fmt::format("there is no section [clients.{}]", base::printable(kind, 60)),
                             "clients are idevid, issued and basic", "unknownKey"));
    read_idevid(section("clients.idevid"), config);
    read_issued(section("clients.issued"), config);
    read_basic(section("clients.basic"), config);
    read_acme(section("acme"), config);
    const auto* domains = root["domain"].as_array();
    if (reading.help != nullptr) {
        read_domain(Section{reading, "[domain]", nullptr}, config);
    } else if (domains == nullptr || domains->empty()) {
        Section{reading, "[domain]", nullptr}.require("name", false);
    } else {
        for (const auto& node : *domains)
            read_domain(Section{reading, "[domain]", node.as_table()}, config);
    }
    read_dns(section("dns"), config);
    read_cacerts(section("cacerts"), config);
    read_est(section("est"), config);
    read_store(section("store"), config);
    read_teap(root, reading, config);
    if (reading.help != nullptr) {
        read_label(Section{reading, "label.NAME", nullptr}, "NAME", config);
    } else if (const auto* labels = root["label"].as_table()) {
        for (const auto& [key, node] : *labels)
            if (const std::string name{key.str()}; node.is_table())
                read_label(Section{reading, "label." + name, node.as_table()}, name, config);
            else
                reading.fail(error_at(reading.file, key.source(), "labels are sections, [label.NAME]"));
    }
    read_limits(section("limits"), config);
    read_brski(root, reading, config);
}

} // namespace

Result<Config> parse_relay_config(std::string_view text, const std::string& file, Kind kind)
{
    Reading reading;
    reading.file = file;
    Config config;
    config.http.ask_client_certificate = true;
    config.serves_est = kind == Kind::est;
    if (kind == Kind::teap) config.teap.emplace();
    try {
        read_all(toml::parse(text, std::string_view{file}), reading, config);
    } catch (const toml::parse_error& error) {
        return fail(error_at(file, error.source(), error.description()));
    }
    if (reading.error) return fail(std::move(*reading.error));
    if (config.ra.store_file == ra::Options{}.store_file)
        config.ra.store_file = (std::filesystem::path{file}.parent_path() / config.ra.store_file).string();
    config.http.address = config.est.host;
    config.http.port = config.est.port;
    config.ra.labels.try_emplace(""); // what goes without a label
    return config;
}

std::vector<KeyHelp> explain_relay_config()
{
    std::vector<KeyHelp> help;
    Reading reading;
    reading.help = &help;
    Config config;
    config.teap.emplace();
    read_all({}, reading, config);
    return help;
}

} // namespace acmetool::relay
