#include "relay/config.h"

#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include "base/text.h"
#include "dns/name.h"
#include "est/operation.h"
#include "net/address_range.h"
#include "net/endpoint.h"
#include "ra/csr_policy.h"
#include "relay/admin_section.h"
#include "relay/brski_section.h"
#include "relay/config_section.h"
#include "relay/event_section.h"
#include "relay/teap_section.h"
#include "store/pq_connection.h"

namespace acmetool::relay
{
namespace
{

constexpr std::chrono::seconds kShortestLease{3};
constexpr std::size_t kLongestInstance = 60;

/// The one that a service can write to, or the first of several.
std::optional<std::string> state_folder()
{
    const char* const folders = std::getenv("STATE_DIRECTORY");
    if (folders == nullptr || *folders == '\0') return std::nullopt;
    return std::string{base::split(folders, ':').front()};
}

std::string host_name()
{
    std::array<char, 256> name{};
    if (gethostname(name.data(), name.size() - 1) != 0) return "relay";
    return base::printable(name.data(), kLongestInstance);
}

/// Enough for a lab behind one address, however small `connections` is.
constexpr unsigned kLeastPerAddress = 16;

void read_listen(Section section, Config& config)
{
    section.endpoint("est", config.est, "address and port of the EST service");
    net::Endpoint radius = access::Options{}.radius;
    section.endpoint("radius", radius,
                     "address and UDP port of the RADIUS service; est-relay serves TEAP only if it is set");
    if (section.has("radius") && !config.teap) config.teap.emplace();
    config.serves_est = config.serves_est || section.has("est");
    if (config.teap) config.teap->radius = radius;
    section.endpoint(
        "admin", config.admin,
        "address of this host and port for the page, /healthz, /readyz, /metrics and /status, by "
        "plain HTTP");
    refuse_open_admin(section, config.admin);
    std::vector<std::string> proxies;
    section.list("proxy_protocol", proxies,
                 "addresses or prefixes of load balancers, whose connections must begin with a PROXY header, "
                 "version 1 or 2");
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
    std::string least = "1.2";
    std::string most = "1.3";
    section.file("certificate", config.http.certificate_file,
                 "certificate chain of the relay, PEM, end entity first; from any CA");
    section.key_of("certificate", "key", config.http.key_file,
                   "private key of certificate, PEM; default: that file name with .key instead of .pem");
    section.choice("min_version", least, {"1.2", "1.3"}, "lowest TLS version accepted");
    section.choice(
        "max_version", most, {"1.2", "1.3"},
        "highest TLS version accepted; 1.2: for devices that know no channel binding but tls-unique");
    if (least > most) section.refuse("max_version", "must not be less than min_version");
    section.require("certificate", !config.http.certificate_file.empty());
    const auto version = [](const std::string& word) {
        return word == "1.3" ? http::TlsVersion::tls_1_3 : http::TlsVersion::tls_1_2;
    };
    config.http.min_tls = version(least);
    config.http.max_tls = version(most);
    section.finish();
}

/// A manufacturer with a name.
void read_cas(Section section, const std::string& name, Config& config)
{
    ra::ManufacturerCas cas{name, {}, {}, true, {}};
    section.files("trust", cas.trust, "trust anchors (PEM) of a manufacturer whose devices may enrol");
    section.list("serial_from", cas.serial_from,
                 "fields of its IDevIDs with the serial number, of which the first present is used; default: "
                 "serialNumber");
    refuse_unknown_fields(section, cas.serial_from);
    section.duration("grace", cas.grace, "accept its IDevIDs this long after they expired");
    section.require("trust", !cas.trust.empty());
    if (name.find_first_of("@,=") != std::string::npos)
        section.refuse("trust", "the manufacturer's name must not contain \"@\", \",\" or \"=\"");
    section.finish();
    config.ra.idevid.manufacturers.push_back(std::move(cas));
}

void read_idevid(Section section, Reading& reading, Config& config)
{
    auto& idevid = config.ra.idevid;
    section.files("trust", idevid.trust, "trust anchors (PEM) of manufacturers whose devices may enrol");
    section.file("inventory", idevid.inventory,
                 "CSV file of known devices: serial[@manufacturer][,label][,name...]");
    section.flag("inventory_in_store", idevid.inventory_in_store,
                 "the known devices are in the store, put there by the command inventory, and not in a file");
    if (idevid.inventory_in_store && section.has("inventory"))
        section.refuse("inventory_in_store", "inventory names a file: set inventory or inventory_in_store");
    section.flag("accept_any", idevid.accept_any,
                 "accept every device of these manufacturers, even if not in the inventory");
    section.flag("allow_empty", idevid.allow_empty,
                 "let a reload replace an inventory with one that lists no device");
    const auto manufacturers = section.sections();
    section.crl(idevid.crl,
                "CRLs of these manufacturers, files or http(s) URLs; default: revocation is not checked");
    section.finish();
    if (reading.help != nullptr) read_cas(Section{reading, "clients.idevid.NAME", nullptr}, "NAME", config);
    for (const auto& [name, table] : manufacturers)
        read_cas(Section{reading, "clients.idevid." + name, table}, name, config);
}

void read_issued(Section section, Config& config)
{
    section.flag("ra_issued", config.ra.issued.ra_issued, "accept certificates issued by this relay");
    auto& issued = config.ra.issued;
    section.files("trust", issued.trust,
                  "private CAs (PEM) whose certificates are accepted although another relay obtained them; "
                  "requires crl, and crl_stale is then refuse by default");
    section.choice("eku", issued.eku, {"any", "clientAuth"}, "extended key usage required in them");
    if (!issued.trust.empty()) issued.crl.stale = crypto::StaleCrl::refuse;
    section.duration("grace", issued.grace,
                     "let a certificate that expired authenticate its renewal this long");
    section.crl(issued.crl,
                "CRLs of the CA that issued them, files or http(s) URLs; default: revocation is not checked");
    if (!issued.trust.empty() && issued.crl.sources.empty())
        section.refuse("trust", "requires crl: no other relay tells this one what was revoked");
    section.finish();
}

void read_basic(Section section, Config& config)
{
    section.file("file", config.ra.users_file,
                 "users for HTTP Basic, one per line: user:crypt(3) hash:allowed names");
    section.flag("allow_empty", config.ra.allow_no_users,
                 "let a reload replace a file of users with one that lists no user");
    config.logins.basic = !config.ra.users_file.empty();
    section.finish();
}

void read_digest(Section section, Config& config)
{
    http::DigestOptions digest;
    std::string first = "sha-256";
    section.file("file", config.ra.digest_users_file,
                 "users for HTTP Digest (RFC 7616), one per line: user:realm:H(A1):allowed names");
    section.text("realm", digest.realm, "realm of all users, which is part of H(A1)");
    section.flag("md5", digest.md5, "also offer MD5, for clients without SHA-256");
    section.choice("first", first, {"sha-256", "md5", "basic"},
                   "challenge sent first, for clients that look at no other");
    section.duration("nonce_lifetime", digest.nonce_lifetime, "time before a client has to use a new nonce");
    section.flag("allow_empty", config.ra.allow_no_digest_users,
                 "let a reload replace a file of users with one that lists no user");
    if (digest.realm.empty() || digest.realm != base::printable(digest.realm) ||
        digest.realm.find_first_of(":\"\\") != std::string::npos)
        section.refuse("realm", "must be visible text without colons, quotes and backslashes");
    if (first == "md5" && !digest.md5) section.refuse("first", "\"md5\" requires md5 = true");
    if (first == "basic" && !config.logins.basic)
        section.refuse("first", "\"basic\" requires file in [clients.basic]");
    digest.md5_first = first == "md5";
    config.logins.basic_first = first == "basic";
    config.ra.digest_realm = digest.realm;
    if (!config.ra.digest_users_file.empty()) config.logins.digest = std::move(digest);
    section.finish();
}

void read_acme(Section section, Config& config)
{
    section.file("account", config.ra.account_file, "account file, created by acme-account register");
    section.file("account_passphrase_file", config.ra.account_passphrase_file,
                 "passphrase of the account's key, if encrypted");
    section.list("issuer", config.ra.issuer_program,
                 "instead of account: program and arguments; reads a CSR and prints JSON");
    section.list("issuer_env", config.ra.issuer_env,
                 "names of environment variables that issuer gets, besides PATH, HOME, LANG and TMPDIR");
    if (const auto named = acme::check_hook_env(config.ra.issuer_env); !named)
        section.refuse("issuer_env", named.error().message);
    section.require("account", config.ra.account_file.empty() == !config.ra.issuer_program.empty());
    if (!config.ra.account_file.empty() && !config.ra.issuer_program.empty())
        section.refuse("issuer", "account and issuer cannot be combined");
    if (config.ra.issuer_program.empty()) section.refuse("issuer_env", "requires issuer");
    if (config.ra.account_file.empty()) section.refuse("account_passphrase_file", "requires account");
    section.finish();
}

void read_domain(Section section, Config& config)
{
    ra::DomainOptions domain;
    section.text("name", domain.name,
                 "domain controlled by the relay, which certifies it and the names below it");
    section.flag("preauthorize", domain.preauthorize,
                 "authorize it with its subdomains by newAuthz (RFC 9444)");
    section.file("authz_file", domain.authz_file, "authorization obtained by acme-preauth");
    section.margin("renew_before", domain.renew_before,
                   "renew the authorization this long before it expires");
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
    section.text("update", solver.dns_update,
                 "solve dns-01 by dynamic update (RFC 2136) of this server, HOST[:PORT]");
    section.file("tsig_key", solver.tsig_key,
                 "TSIG key, in the form of tsig-keygen or as ALGORITHM:NAME:BASE64");
    section.list("allow_zones", solver.dns_allow_zones, "zones to which a CNAME may redirect the update");
    section.flag("dns_account", solver.dns_account,
                 "solve dns-account-01, whose record name belongs to the account alone, instead of dns-01");
    section.path("hook", solver.hook,
                 "instead of update: solve challenges with this program; see acmetool-hooks(7)");
    section.choice("hook_style", solver.hook_style, {"uacme", "certbot", "dehydrated", "lego"},
                   "calling convention of the hook");
    section.path("hook_cleanup", solver.hook_cleanup,
                 "with certbot style: program that cleans up after hook");
    section.list("hook_env", solver.hook_env,
                 "names of environment variables that hooks get, too, such as a provider's token");
    if (const auto named = acme::check_hook_env(solver.hook_env); !named)
        section.refuse("hook_env", named.error().message);
    section.duration("hook_timeout", solver.hook_timeout, "kill a hook that runs longer than this");
    section.path("webroot", solver.webroot, "instead of update: solve http-01 with files under this folder");
    section.text("resolver", solver.resolver, "find name servers with this resolver, HOST[:PORT]");
    section.list("name_servers", solver.name_servers, "check these servers instead of the zone's");
    section.flag("no_check", solver.no_dns_check, "do not check that the record is visible");
    section.duration("wait", solver.dns_wait, "longest wait for the record to become visible");
    section.finish();
}

void read_cacerts(Section section, Config& config)
{
    auto& cacerts = config.ra.cacerts;
    section.files(
        "root", cacerts.roots,
        "trust anchors sent to devices (PEM), self-signed: the root of the CA behind the ACME server; "
        "while it changes, the old and the new one");
    section.files("anchors", cacerts.anchors,
                  "further trust anchors for devices (PEM), self-signed: the root of [tls] if that is from "
                  "another CA");
    section.files("intermediates", cacerts.intermediates,
                  "intermediates of the CA (PEM), for devices that ask before the CA has issued anything");
    section.files("key_updates", cacerts.key_updates,
                  "certificates (PEM) by which one of these anchors vouches for another: OldWithNew, "
                  "NewWithOld (RFC 4210)");
    section.flag("aia", cacerts.aia,
                 "at start, fetch a missing intermediate from the http URL (authorityInfoAccess) in the "
                 "relay's own or last issued certificate");
    section.text("order", cacerts.order,
                 "name for which the relay orders a certificate at start if it knows no intermediate; "
                 "default: no order");
    section.require("root", !cacerts.roots.empty());
    if (!cacerts.order.empty()) {
        auto name = dns::normalize_name(cacerts.order);
        const bool covered =
            name && std::any_of(config.ra.domains.begin(), config.ra.domains.end(),
                                [&](const auto& domain) { return dns::is_subdomain_of(*name, domain.name); });
        if (covered)
            cacerts.order = std::move(*name);
        else
            section.refuse("order", name ? "must be below one of the [[domain]] names"
                                         : std::string_view{name.error().message});
    }
    section.finish();
}

void read_est(Section section, Config& config)
{
    std::string pop = "optional";
    std::string errors = "text";
    std::string wrap = "auto";
    section.duration("wait", config.ra.wait,
                     "longest wait of a request for its certificate before it is answered with 202");
    section.duration("retry_after", config.ra.retry_after, "Retry-After of 202 answers");
    section.choice("pop", pop, {"off", "optional", "required"},
                   "channel binding in the CSR's challengePassword");
    section.choice("error_format", errors, {"text", "cmc"}, "form of refusals: text or signed CMC response");
    section.choice("b64_wrap", wrap, {"auto", "64", "0"},
                   "line length of base64 in replies; 0: one line; auto: as the client appears to need");
    section.flag("strict_body", config.strict_body, "refuse CSRs in PEM or DER");
    section.duration(
        "remember_failure", config.ra.remember_failure,
        "time before a failed order is tried again; until then the device gets the same refusal");
    section.margin("reissue_margin", config.ra.reissue_margin,
                   "do not return a stored certificate this long before it expires");
    config.ra.pop = pop == "off" ? ra::Pop::off : pop == "required" ? ra::Pop::required : ra::Pop::optional;
    config.cmc_errors = errors == "cmc";
    if (wrap != "auto") config.wrap = wrap == "64" ? 64 : 0;
    section.finish();
}

void read_store(Section section, Config& config)
{
    auto& store = config.ra.store;
    section.path("sqlite", store.sqlite, "database file; created if missing");
    section.text("postgresql", store.postgresql,
                 "instead of sqlite: a PostgreSQL database that several relays share, as URI or keywords of "
                 "libpq, without a password; store init creates its tables");
    section.file("password_file", store.password_file,
                 "file with the password of postgresql; default: PGPASSFILE or ~/.pgpass");
    section.text("instance", store.instance,
                 "name of this relay among those that share the database; default: the host's name");
    section.duration("lease", store.lease,
                     "time without a word of a relay after which the others take over its orders");
    section.path("crl_folder", config.crl_folder,
                 "with postgresql: folder for the CRLs fetched last; default: STATE_DIRECTORY, which systemd "
                 "sets, or else the folder of this file");
    section.duration("keep_events", config.ra.keep_events,
                     "time for which the database keeps events; 0s: it keeps none");
    if (store.is_shared()) {
        if (section.has("sqlite")) section.refuse("postgresql", "either sqlite or postgresql can be set");
        if (const auto target = store::parse_target(store.postgresql); !target)
            section.refuse("postgresql", target.error().message);
        else if (target->has_password)
            section.refuse("postgresql", "must not have a password: write it into password_file");
        if (store.lease < kShortestLease)
            section.refuse("lease", fmt::format("must be at least {}", shown(kShortestLease)));
    } else {
        for (const auto* key : {"password_file", "instance", "lease", "crl_folder"})
            if (section.has(key)) section.refuse(key, "requires postgresql");
    }
    if (store.instance.empty()) store.instance = host_name();
    if (store.instance.size() > kLongestInstance || store.instance != base::printable(store.instance))
        section.refuse("instance", fmt::format("must be at most {} printable characters", kLongestInstance));
    section.finish();
}

/// A label that is empty or only of TEAP is in no URL.
bool can_be_reached(const std::string& label, const Config& config)
{
    return label.empty() || est::is_server_label(label) ||
           (config.teap && config.teap->settings.label == label);
}

void read_label(Section section, const std::string& name, Config& config)
{
    ra::LabelOptions label;
    section.text("domain", label.domain, "one of the domains or a name below one; default: the first domain");
    section.text("profile", label.profile, "ACME profile");
    section.choice("san", label.san, {"idevid-serial", "table", "random"},
                   "source of a device's name: its serial number, the inventory (table), or random");
    section.text("key_type", label.key_type, "required key type, such as \"ec:P-256\" or \"rsa:2048\"");
    std::string cn = "name";
    section.choice(
        "cn", cn, {"name", "refuse"},
        "common name of a request without subject alternative name: the device's name, or a reason "
        "to refuse");
    label.cn_is_name = cn == "name";
    section.list("allow", label.allow,
                 "additional content allowed in requests: OIDs of extensions, key purposes and attributes, "
                 "names of key usages");
    for (const auto& word : label.allow)
        if (!ra::can_be_allowed(word))
            section.refuse("allow",
                           "\"" + base::printable(word, 60) +
                               "\" is neither an OID in dotted decimal nor a key usage that can be allowed");
    section.finish();
    config.ra.labels[name] = std::move(label);
}

void read_limits(Section section, Config& config)
{
    auto& http = config.http;
    auto& limits = config.ra.limits;
    section.size("body", http.body_limit, "maximum size of a request body");
    section.size("header", http.header_limit, "maximum size of a request header");
    section.duration("idle", http.idle_timeout, "time before an idle connection is closed");
    section.duration("handshake", http.handshake_timeout, "longest duration of a TLS handshake");
    section.duration("request", http.request_timeout,
                     "longest time to receive a request, and to send its reply");
    section.number("connections", http.connections, 1, "maximum number of connections");
    http.connections_per_address = std::max(http.connections / 10, kLeastPerAddress);
    section.number(
        "connections_per_address", http.connections_per_address, 1,
        "maximum number of connections per client address; a tenth of connections if absent, but at "
        "least 16");
    section.number("requests_per_connection", http.requests_per_connection, 1,
                   "number of requests after which a connection is closed");
    section.number("threads", http.threads, 1,
                   "number of threads that serve connections, and as many for RADIUS");
    if (config.teap) config.teap->threads = http.threads;
    section.number("orders_per_device", limits.orders_per_device, 1,
                   "new orders per device in budget_window");
    section.number(
        "orders_in_total", limits.orders_in_total, 0,
        "new orders in total in budget_window; 0: as many as the inventory has devices, but at least "
        "1000");
    section.number("renewal_reserve", limits.renewal_reserve, 0,
                   "share of orders_in_total that is reserved for renewals");
    section.duration("budget_window", limits.budget_window, "period of the order limits");
    section.number("requests_in_flight", limits.requests_in_flight, 1,
                   "maximum number of concurrent requests to the ACME server");
    section.duration("drain", config.drain, "time to complete pending requests after SIGTERM");
    if (limits.renewal_reserve >= ra::in_force(limits, 0).orders_in_total)
        section.refuse("renewal_reserve", "must be less than orders_in_total");
    section.finish();
}

/// Reads each section exactly once, even if absent, to check its required keys.
void read_all(const toml::table& root, Reading& reading, Config& config)
{
    const std::vector<std::string> known{"listen", "admin",   "tls",    "clients", "acme",         "domain",
                                         "dns",    "cacerts", "est",    "store",   "label",        "limits",
                                         "teap",   "client",  "accept", "brski",   "manufacturer", "events"};
    for (const auto& [key, node] : root) {
        const std::string given{key.str()};
        if (std::find(known.begin(), known.end(), given) == known.end()) {
            const auto meant = cli::nearest(given, known);
            reading.fail(error_at(
                reading.file, key.source(), fmt::format("unknown section [{}]", base::printable(given, 60)),
                meant.empty() ? std::string{kHint} : fmt::format("did you mean [{}]?", meant), "unknownKey"));
        } else if (const bool many =
                       given == "domain" || given == "client" || given == "accept" || given == "manufacturer";
                   !(many ? node.is_array_of_tables() : node.is_table())) {
            reading.fail(error_at(reading.file, node.source(),
                                  many ? fmt::format("each {0} must be written as [[{0}]]", given)
                                       : fmt::format("[{}] must be a section", given)));
        }
    }
    const auto section = [&](const std::string& name) {
        return Section{reading, name, root.at_path(name).as_table()};
    };
    read_listen(section("listen"), config);
    read_tls(section("tls"), config);
    read_admin(section("admin"), config);
    if (const auto* clients = root["clients"].as_table())
        for (const auto& [key, node] : *clients)
            if (const auto kind = key.str(); !node.is_table() || (kind != "idevid" && kind != "issued" &&
                                                                  kind != "basic" && kind != "digest"))
                reading.fail(error_at(reading.file, key.source(),
                                      fmt::format("unknown section [clients.{}]", base::printable(kind, 60)),
                                      "use clients.idevid, clients.issued, clients.basic or clients.digest",
                                      "unknownKey"));
    read_idevid(section("clients.idevid"), reading, config);
    read_issued(section("clients.issued"), config);
    read_basic(section("clients.basic"), config);
    read_digest(section("clients.digest"), config);
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
            if (const std::string name{key.str()}; !can_be_reached(name, config))
                reading.fail(
                    error_at(reading.file, key.source(),
                             fmt::format("\"{}\" cannot be a label", base::printable(name, 100)),
                             "no URL of EST names it: a label is at most 64 letters, digits and -._~, and "
                             "not the name of an operation"));
            else if (node.is_table())
                read_label(Section{reading, "label." + name, node.as_table()}, name, config);
            else
                reading.fail(error_at(reading.file, key.source(), "labels must be sections: [label.NAME]"));
    }
    read_limits(section("limits"), config);
    read_events(section("events"), config);
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
    config.files = std::move(reading.files);
    config.files.push_back({file + ": [tls] key", config.http.key_file}); // it may be absent from [tls]
    const auto folder = std::filesystem::path{file}.parent_path();
    if (auto& sqlite = config.ra.store.sqlite; sqlite == store::Options{}.sqlite)
        sqlite = (folder / sqlite).string();
    if (config.crl_folder.empty()) config.crl_folder = state_folder().value_or(folder.string());
    config.http.address = config.est.host;
    config.http.port = config.est.port;
    config.ra.labels.try_emplace(""); // for requests without a label
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
