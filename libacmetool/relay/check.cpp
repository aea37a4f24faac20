#include "relay/check.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "acme/account.h"
#include "acme/account_name.h"
#include "acme/caa.h"
#include "acme/directory.h"
#include "acme/preauth.h"
#include "acme/solver.h"
#include "base/text.h"
#include "crypto/cert.h"
#include "crypto/crl.h"
#include "dns/name.h"
#include "dns/public_suffix.h"
#include "dns/query.h"
#include "http/client.h"
#include "http/tls_context.h"
#include "net/endpoint.h"
#include "ra/acme_issuer.h"
#include "ra/exclusion.h"
#include "ra/inventory.h"
#include "ra/inventory_records.h"
#include "ra/policy.h"
#include "ra/records.h"
#include "relay/crl_keeper.h"
#include "relay/findings.h"
#include "relay/secrets.h"
#include "store/atomic_file.h"
#include "store/certified_key.h"
#include "store/configured.h"
#include "store/members.h"
#include "store/pq_connection.h"
#include "store/room.h"
#include "store/secret_file.h"

namespace acmetool::relay
{
namespace
{

void check_tls(Findings& findings, const Config& config, base::TimePoint now)
{
    if (const auto context = http::make_server_context(config.http); !context) {
        bad(findings, "tls", context.error());
        return;
    }
    const auto chain = store::read_certificates(config.http.certificate_file);
    if (!chain) {
        bad(findings, "tls", chain.error());
        return;
    }
    check_end(findings, "tls", fmt::format("certificate {}", chain->front().subject()),
              chain->front().not_after(), now, "renew the relay's certificate, then send SIGHUP");
}

void check_anchors(Findings& findings, const std::vector<std::string>& files, const std::string& name,
                   base::TimePoint now)
{
    for (const auto& file : files) {
        const auto anchors = store::read_certificates(file);
        if (!anchors) {
            bad(findings, "clients.idevid", anchors.error());
            continue;
        }
        for (const auto& anchor : *anchors)
            check_end(findings, "clients.idevid",
                      fmt::format("manufacturer {}{}{}", name, name.empty() ? "" : ", ", anchor.subject()),
                      anchor.not_after(), now, "ask the manufacturer for the next CA certificate");
    }
}

/// Without the manufacturer an entry is for the first device that comes with its serial number.
void warn_of_unnamed(Findings& findings, std::size_t unnamed, const enrol::Manufacturers& manufacturers)
{
    warn(
        findings, "clients.idevid",
        fmt::format("{} entries of the inventory name no manufacturer, and {} CA keys are trusted: the first "
                    "device with such a serial number gets the entry",
                    unnamed, manufacturers.size()),
        "write SERIAL@NAME, with a name from [clients.idevid.NAME] or [[manufacturer]]");
}

constexpr std::size_t kMostShown = 10; ///< labels

/// Who has such a label is refused, whatever label the request has.
void warn_of_unknown_labels(Findings& findings, const std::map<std::string, std::uint64_t>& labels,
                            const ra::Options& options)
{
    std::vector<std::string> shown;
    std::uint64_t devices = 0;
    for (const auto& [label, number] : labels)
        if (options.labels.count(label) == 0) {
            devices += number;
            shown.push_back(base::printable(label, 100));
        }
    if (devices == 0) return;
    const auto more = shown.size() > kMostShown ? shown.size() - kMostShown : 0;
    if (more > 0) shown.resize(kMostShown);
    warn(findings, "clients.idevid",
         fmt::format("{} devices in the inventory have a label that the configuration does not have: {}{}",
                     devices, base::join(shown, ", "),
                     more > 0 ? fmt::format(" and {} more", more) : std::string{}),
         "each of their requests is refused: correct the lines, or add [label.NAME]");
}

void check_inventory(Findings& findings, const ra::Options& options,
                     const enrol::Manufacturers& manufacturers)
{
    const auto& file = options.idevid.inventory;
    if (file.empty()) return;
    const auto text = store::read_file(file);
    const auto inventory =
        text ? ra::parse_inventory(*text, file, manufacturers) : Result<ra::Inventory>{fail(text.error())};
    if (!inventory) {
        bad(findings, "clients.idevid", inventory.error());
        return;
    }
    ok(findings, "clients.idevid", fmt::format("{} devices in the inventory", inventory->size()));
    if (manufacturers.size() > 1 && inventory->unnamed() > 0)
        warn_of_unnamed(findings, inventory->unnamed(), manufacturers);
    warn_of_unknown_labels(findings, inventory->labels(), options);
    for (const auto& serial : inventory->strange())
        warn(findings, "clients.idevid",
             fmt::format("{} in the inventory ends in the name of no manufacturer",
                         base::printable(serial, 100)),
             "it is taken as a serial number; names are those in [clients.idevid.NAME] and [[manufacturer]]");
}

struct StoredInventory {
    ra::InventoryCounts counts;
    std::map<std::string, std::uint64_t> labels;
};

Result<StoredInventory> look_at_inventory(const store::Options& options)
{
    ACMETOOL_TRY(database, ra::open_existing(options));
    ra::InventoryRecords records{*database};
    ACMETOOL_TRY(counts, records.count());
    ACMETOOL_TRY(labels, records.labels());
    return StoredInventory{counts, std::move(labels)};
}

/// What changes it judges its lines; here it is counted.
void check_inventory_in_store(Findings& findings, const Config& config,
                              const enrol::Manufacturers& manufacturers)
{
    if (!config.ra.idevid.inventory_in_store) return;
    const auto inventory = look_at_inventory(config.ra.store);
    if (!inventory && inventory.error().reason.word() == "noStore")
        return warn(findings, "clients.idevid",
                    "the inventory in the store lists no devices: the store does not exist yet",
                    "inventory import puts them there once it does");
    if (!inventory) return bad(findings, "clients.idevid", inventory.error());
    const auto& counts = inventory->counts;
    if (counts.devices == 0)
        return warn(findings, "clients.idevid",
                    "the inventory in the store lists no devices: all devices of manufacturers are refused",
                    "put them there with inventory import");
    ok(findings, "clients.idevid", fmt::format("{} devices in the inventory in the store", counts.devices));
    if (manufacturers.size() > 1 && counts.unnamed > 0)
        warn_of_unnamed(findings, counts.unnamed, manufacturers);
    warn_of_unknown_labels(findings, inventory->labels, config.ra);
}

void check_rules(Findings& findings, const access::Options& teap, const enrol::Manufacturers& manufacturers)
{
    if (manufacturers.size() < 2) return;
    for (const auto& rule : teap.accept)
        if (!rule.device.empty() && rule.manufacturer.empty() && rule.device.find('.') == std::string::npos)
            warn(findings, "accept",
                 fmt::format("device = \"{}\" can be a serial number of several manufacturers",
                             base::printable(rule.device, 100)),
                 "set manufacturer in this [[accept]] rule, or use the device's name");
}

void check_clients(Findings& findings, const Config& config, base::TimePoint now)
{
    const auto& idevid = config.ra.idevid;
    check_anchors(findings, idevid.trust, "", now);
    for (const auto& one : idevid.manufacturers)
        if (one.trusted) check_anchors(findings, one.trust, one.name, now);
    const auto known = ra::read_manufacturers(idevid);
    const auto manufacturers = known.value_or(enrol::Manufacturers{}); // what is wrong was said above
    const bool trusts = std::any_of(idevid.manufacturers.begin(), idevid.manufacturers.end(),
                                    [](const auto& one) { return one.trusted; }) ||
                        !idevid.trust.empty();
    check_inventory(findings, config.ra, manufacturers);
    check_inventory_in_store(findings, config, manufacturers);
    if (config.teap) check_rules(findings, *config.teap, manufacturers);
    if (const auto files = ra::Files::read(config.ra, nullptr))
        for (const auto& warning : ra::warnings_of(*files, config.ra))
            warn(findings, "clients", warning, "compare the file with its source");
    if (idevid.accept_any)
        warn(findings, "clients.idevid", "accept_any allows every device of these manufacturers to enrol",
             "list your devices in an inventory");
    else if (trusts && idevid.inventory.empty() && !idevid.inventory_in_store)
        warn(findings, "clients.idevid", "without an inventory all devices of manufacturers are refused",
             "set inventory to the file that lists the devices, or inventory_in_store = true");
    for (const auto& one : idevid.manufacturers)
        if (one.grace.count() > 0)
            warn(findings, "clients.idevid",
                 fmt::format("devices of {} are accepted for {} after their certificates expired",
                             base::printable(one.name, 60), base::describe(one.grace)),
                 "set grace in the manufacturer's section only for devices that cannot get another IDevID");
    if (const auto grace = config.ra.issued.grace; grace.count() > 0)
        warn(findings, "clients.issued",
             fmt::format("certificates can be renewed for {} after they expired", base::describe(grace)),
             "a stolen key is of use for as long: block or revoke lost devices");
    check_users(findings, config);
    if (!trusts && config.ra.users_file.empty() && config.ra.digest_users_file.empty())
        warn(findings, "clients", "no new device can enrol: neither manufacturers nor users are configured",
             "set trust in [clients.idevid] or file in [clients.basic] or [clients.digest]");
}

void check_secrets(Findings& findings, const Config& config)
{
    for (const auto& [section, what, file] : secret_files(config))
        if (const auto exposure = store::exposure_of(file))
            warn(findings, section, fmt::format("{} {}", what, exposure->text), exposure->hint);
}

/// Those of a file, or the copy of those of a URL.
Result<std::vector<crypto::Crl>> known_crls(const Config& config, const std::string& source)
{
    if (!crypto::is_crl_url(source)) return store::read_configured_crls(source);
    ACMETOOL_TRY(copy, store::read_file(crl_copy(config, source)));
    return crypto::parse_crls(copy, source);
}

void check_crl_dates(Findings& findings, const CrlGroup& group, const std::vector<crypto::Crl>& crls,
                     base::TimePoint now)
{
    for (const auto& crl : crls) {
        const auto text = fmt::format("CRL of {} until {}, {} entries", base::printable(crl.issuer(), 200),
                                      base::to_rfc3339(crl.next_update()), crl.size());
        const auto verdict = crl.is_current(now)                           ? Verdict::ok
                             : group.crl.stale == crypto::StaleCrl::accept ? Verdict::warn
                                                                           : Verdict::fail;
        findings.push_back({verdict, group.subject, verdict == Verdict::ok ? text : "stale " + text,
                            verdict == Verdict::ok ? "" : "obtain the CA's current CRL"});
    }
}

/// A relay that obtained a certificate knows whose it is; of others only the CA says so.
void check_private_cas(Findings& findings, const Config& config)
{
    for (const auto& file : config.ra.issued.trust) {
        const auto found = store::read_configured_certificates(file);
        if (!found) {
            bad(findings, "clients.issued", found.error());
            continue;
        }
        for (const auto& ca : *found)
            warn(findings, "clients.issued",
                 fmt::format("whoever has a certificate of {} for a name in a domain of this relay is let in",
                             base::printable(ca.subject(), 200)),
                 "trust only a private CA that certifies such names for devices alone");
    }
}

void check_crls(Findings& findings, const Config& config, base::TimePoint now)
{
    for (const auto& group : crl_groups(config))
        for (const auto& source : group.crl.sources) {
            const auto crls = known_crls(config, source);
            if (crls)
                check_crl_dates(findings, group, *crls, now);
            else if (crypto::is_crl_url(source))
                warn(findings, group.subject, fmt::format("the CRL of {} was not fetched yet", source),
                     "the relay fetches it when it starts; check --online does it now");
            else
                bad(findings, group.subject, crls.error());
        }
}

/// Of a file, check_store() says it.
void check_crl_folder(Findings& findings, const Config& config)
{
    if (!config.ra.store.is_shared()) return;
    for (const auto& group : crl_groups(config))
        for (const auto& source : group.crl.sources) {
            if (!crypto::is_crl_url(source)) continue;
            if (const auto done = store::check_room_beside(crl_copy(config, source)); !done)
                warn(findings, "store",
                     fmt::format("no fetched CRL can be kept for the next start: {}", done.error().message),
                     "set crl_folder in [store] to a folder that the relay can write to");
            return;
        }
}

void fetch_crls(Findings& findings, const Config& config, base::Context& context)
{
    for (const auto& group : crl_groups(config))
        for (const auto& source : group.crl.sources) {
            if (!crypto::is_crl_url(source)) continue;
            const auto fetched = fetch_crl(source, {}, context);
            if (fetched)
                check_crl_dates(findings, group, fetched->crls, context.now());
            else
                bad(findings, group.subject, with_context(fetched.error(), "CRL"));
        }
}

std::string host_of(const std::string& url)
{
    auto host = std::string_view{url};
    if (const auto scheme = host.find("://"); scheme != std::string_view::npos)
        host.remove_prefix(scheme + 3);
    host = host.substr(0, host.find_first_of("/?#"));
    if (host.starts_with('[')) return std::string{host.substr(0, host.find(']') + 1)};
    return std::string{host.substr(0, host.find(':'))};
}

/// A CA that the world sees logs what it issues (RFC 9162).
bool looks_public(const std::string& directory)
{
    const auto host = base::to_lower(host_of(directory));
    if (host.empty() || host.starts_with('[') || host.find('.') == std::string::npos) return false;
    if (std::all_of(host.begin(), host.end(), [](char c) { return (c >= '0' && c <= '9') || c == '.'; }))
        return false;
    for (const auto* end : {".internal", ".local", ".lan", ".home.arpa", ".test", ".example"})
        if (host.ends_with(end)) return false;
    return true;
}

void check_acme(Findings& findings, const Config& config)
{
    if (!config.ra.issuer_program.empty()) {
        const auto& program = config.ra.issuer_program.front();
        if (program.find('/') != std::string::npos && ::access(program.c_str(), X_OK) != 0)
            findings.push_back({Verdict::fail, "acme", fmt::format("{} cannot be run", program),
                                "issuer must be a program followed by its arguments"});
        else
            ok(findings, "acme", fmt::format("issued by {}", program));
        return;
    }
    const auto account = acme::load_account(config.ra.account_file);
    if (!account) {
        bad(findings, "acme", account.error());
        return;
    }
    const auto key = ra::load_account_key(config.ra, *account);
    if (!key) {
        bad(findings, "acme", key.error());
        return;
    }
    ok(findings, "acme", fmt::format("account {} with {} key", account->url, key->type()));
    const bool serials = std::any_of(config.ra.labels.begin(), config.ra.labels.end(),
                                     [](const auto& label) { return label.second.san == "idevid-serial"; });
    if (serials && looks_public(account->directory))
        warn(findings, "acme",
             fmt::format(
                 "{} may publish each certificate: the devices' serial numbers would be in public logs",
                 host_of(account->directory)),
             "set san = \"random\" in the [label...] sections, [label.\"\"] for requests without a label");
}

void check_domains(Findings& findings, const Config& config, base::TimePoint now)
{
    for (const auto& domain : config.ra.domains) {
        const auto subject = "domain " + domain.name;
        const auto kind = dns::kind_of(domain.name);
        if (kind == dns::NameKind::public_suffix)
            warn(findings, subject,
                 "is a public suffix: others can register names below it, and no public CA authorizes all of "
                 "them",
                 "choose a domain that you control");
        else if (kind == dns::NameKind::registrable && domain.preauthorize)
            warn(findings, subject,
                 "a whole registered domain is authorized: this account can certify every name in it",
                 fmt::format("use a separate domain for devices, such as iot.{}", domain.name));
        if (domain.authz_file.empty()) continue;
        const auto text = store::read_file(domain.authz_file);
        const auto preauth =
            text ? acme::parse_preauth(*text) : Result<acme::PreAuthorization>{fail(text.error())};
        if (!preauth)
            bad(findings, subject, preauth.error());
        else if (preauth->authorization.expires)
            check_end(findings, subject, "authorized", *preauth->authorization.expires, now,
                      "run acme-preauth renew");
    }
    const auto& solver = config.ra.solver;
    const auto made = acme::make_solver(solver);
    if (!made)
        bad(findings, "dns", made.error());
    else if (*made == nullptr)
        warn(findings, "dns", "no solver is configured: authorizations cannot be renewed",
             "set update or hook in [dns], or renew them with acme-preauth renew");
    if (made && !solver.tsig_key.empty())
        warn(findings, "dns", "it is unknown which other records the update key may change",
             "allow it to change only TXT records at _acme-challenge names; check --online tests this");
}

/// Writes: that a file may be written says nothing of a full disk, a lock or a read-only file system
/// (SEC-34).
bool is_here(const std::string& host)
{
    return host.starts_with('/') || host.starts_with('@') || host == "localhost" || host == "127.0.0.1" ||
           host == "::1";
}

/// A database that relays share: whether it can be reached and written to, what it is sent in the clear, and
/// who else is there.
void check_shared_store(Findings& findings, const Config& config)
{
    const std::string subject = "store";
    const auto& options = config.ra.store;
    const auto target = store::parse_target(options.postgresql);
    if (!target) return bad(findings, subject, target.error());
    const bool is_remote = !std::all_of(target->hosts.begin(), target->hosts.end(), is_here);
    if (is_remote && target->sslmode != "verify-full")
        warn(findings, subject, "the server of the database is not verified",
             "add sslmode=verify-full and sslrootcert to postgresql in [store]");
    std::string id;
    std::vector<store::Member> others;
    const auto written = [&]() -> Result<void> {
        ACMETOOL_TRY(database, ra::Records::open(options));
        id = database->id();
        ACMETOOL_CHECK(database->begin());
        ACMETOOL_CHECK(database->probe());
        ACMETOOL_CHECK(database->commit());
        ACMETOOL_TRY(all, store::Members{*database}.all());
        others = std::move(all);
        return {};
    };
    if (auto done = written(); !done) return bad(findings, subject, std::move(done).error());
    ok(findings, subject, fmt::format("database {} can be written to", id));
    const auto settings = ra::settings_digest(config.ra);
    for (const auto& other : others)
        if (other.is_alive && other.settings != settings)
            warn(findings, subject,
                 fmt::format("the relay {} runs there with other domains, labels or limits, or another kind "
                             "of inventory",
                             other.instance),
                 "relays on one database need the same: compare their files");
}

void check_store(Findings& findings, const Config& config)
{
    if (config.ra.store.is_shared()) return check_shared_store(findings, config);
    const std::string subject = "store";
    const auto& file = config.ra.store.sqlite;
    std::error_code none;
    const bool exists = std::filesystem::exists(file, none);
    const auto written = [&]() -> Result<void> {
        ACMETOOL_CHECK(store::check_room_beside(file)); // for the database and its write-ahead log
        if (!exists) return {};
        ACMETOOL_CHECK(ra::check_shared(file));
        ACMETOOL_TRY(database, ra::Records::open(config.ra.store));
        ACMETOOL_CHECK(database->begin());
        ACMETOOL_CHECK(database->probe());
        return database->commit();
    };
    if (auto done = written(); !done)
        bad(findings, subject, with_context(std::move(done).error(), file));
    else
        ok(findings, subject, fmt::format("{} can be {}", file, exists ? "written" : "created"));
}

void check_limits(Findings& findings, const Config& config)
{
    const auto& http = config.http;
    if (config.serves_est && http.connections_per_address > http.connections / 2)
        warn(findings, "limits",
             fmt::format("one address may have {} of the {} connections", http.connections_per_address,
                         http.connections),
             "set connections_per_address lower, unless all devices come from one address; behind a load "
             "balancer, use proxy_protocol");
}

void check_rest(Findings& findings, const Config& config, base::TimePoint now)
{
    check_cacerts(findings, config, now);
    check_store(findings, config);
    check_limits(findings, config);
}

void check_clock(Findings& findings, const http::Response& reply, base::TimePoint now)
{
    const auto header = http::find(reply.headers, "date");
    const auto date =
        header ? base::parse_http_date(*header) : Result<base::TimePoint>{fail(Errc::bad_input, "no Date")};
    if (!date) {
        warn(findings, "clock", "the ACME server sent no time to compare with", "");
        return;
    }
    const auto offset = std::chrono::abs(now - *date);
    const auto text = fmt::format("{} s from the ACME server's time", offset.count());
    const auto verdict = offset > std::chrono::seconds{300}  ? Verdict::fail
                         : offset > std::chrono::seconds{30} ? Verdict::warn
                                                             : Verdict::ok;
    findings.push_back({verdict, "clock", text, verdict == Verdict::ok ? "" : "set the clock of this host"});
}

void check_caa(Findings& findings, const std::string& domain, const acme::CaaRequest& request,
               const dns::Resolver& resolver, base::Context& context)
{
    const auto subject = "domain " + domain;
    const auto set = acme::find_caa(resolver, domain, context);
    if (!set) {
        warn(findings, subject, fmt::format("CAA records could not be looked up: {}", set.error().message),
             set.error().hint);
        return;
    }
    if (set->name.empty()) {
        ok(findings, subject, "no CAA record: any CA may issue");
        return;
    }
    const auto objection = acme::caa_objection(set->records, request);
    if (!objection)
        ok(findings, subject, fmt::format("the CAA records at {} allow this CA", set->name));
    else if (request.issuers.empty())
        warn(findings, subject,
             fmt::format("the CAA records at {}: {}; the CA's directory does not contain its name", set->name,
                         *objection),
             "see the CA's documentation for its CAA name");
    else
        findings.push_back(
            {Verdict::fail, subject,
             fmt::format("the CAA records at {} forbid this CA: {}", set->name, *objection),
             fmt::format("add the records that acme-preauth caa-record prints for {}", domain)});
}

/// Sets and removes a record that the key must be allowed to change, then one that it should not.
void probe_updates(Findings& findings, const Config& config, const std::string& domain,
                   const std::string& account_url, base::Context& context)
{
    const auto subject = "domain " + domain;
    auto settings = config.ra.solver;
    settings.no_dns_check = true;
    const auto solver = acme::make_solver(settings);
    if (!solver || *solver == nullptr) return;
    acme::ChallengeTask task;
    task.type = settings.dns_account ? "dns-account-01" : "dns-01";
    task.identifier = domain;
    task.record_name = settings.dns_account ? acme::account_validation_name(account_url, domain)
                                            : dns::validation_name(domain);
    task.record_value = "probe-of-est-relay-check";
    if (const auto done = (*solver)->publish(task, context); !done) {
        bad(findings, subject, with_context(done.error(), "a validation record could not be set"));
        return;
    }
    if (const auto done = (*solver)->cleanup(task, true, context); !done) {
        bad(findings, subject, with_context(done.error(), "the validation record could not be removed"));
        return;
    }
    ok(findings, subject, "a validation record was set and removed");
    task.record_name = "est-relay-probe." + domain;
    if (const auto done = (*solver)->publish(task, context); !done) {
        ok(findings, subject, "the update key can set only validation records");
        return;
    }
    static_cast<void>((*solver)->cleanup(task, true, context));
    warn(findings, subject, "the update key can set records of any name",
         "allow it to change only TXT records at _acme-challenge names");
}

void check_authorization(Findings& findings, const Config& config, const std::string& directory,
                         const ra::DomainOptions& domain, base::TimePoint now)
{
    if (!domain.preauthorize) return;
    const auto subject = "domain " + domain.name;
    auto state = acme::StateDirectory::open("", config.ra.account_file);
    const auto known = state ? acme::remembered(*state, directory, domain.name)
                             : Result<std::optional<acme::PreAuthorization>>{fail(state.error())};
    if (!known)
        bad(findings, subject, known.error());
    else if (*known && (*known)->authorization.expires)
        check_end(findings, subject, "authorized", *(*known)->authorization.expires, now,
                  "run acme-preauth renew");
    else if (domain.authz_file.empty())
        warn(findings, subject, "not authorized yet: the relay requests authorization before the first order",
             "acme-preauth run requests it now");
}

} // namespace

std::string_view name_of(Verdict verdict)
{
    return verdict == Verdict::ok ? "ok" : verdict == Verdict::warn ? "warn" : "fail";
}

base::Json to_json(const std::vector<Finding>& findings)
{
    auto list = base::Json::array();
    for (const auto& finding : findings) {
        base::Json one{
            {"verdict", name_of(finding.verdict)}, {"subject", finding.subject}, {"message", finding.text}};
        if (!finding.hint.empty()) one["hint"] = finding.hint;
        list.push_back(std::move(one));
    }
    return list;
}

std::vector<Finding> check_files(const Config& config, base::TimePoint now)
{
    Findings findings;
    check_tls(findings, config, now);
    check_admin(findings, config, now);
    check_events(findings, config);
    check_secrets(findings, config);
    check_clients(findings, config, now);
    check_private_cas(findings, config);
    check_crls(findings, config, now);
    check_crl_folder(findings, config);
    check_acme(findings, config);
    check_domains(findings, config, now);
    check_brski(findings, config, now);
    check_rest(findings, config, now);
    return findings;
}

namespace
{

void check_ca(Findings& findings, const Config& config, base::Context& context)
{
    if (config.ra.account_file.empty()) {
        warn(findings, "acme", "an external issuer cannot be checked", "");
        return;
    }
    const auto account = acme::load_account(config.ra.account_file);
    if (!account) return; // said by check_files
    http::ClientOptions options;
    if (!account->ca_file.empty()) options.ca_file = acme::beside(config.ra.account_file, account->ca_file);
    http::Client client{options, context};
    const auto reply = client.send({http::Method::get, account->directory, {}, {}});
    if (!reply) {
        bad(findings, "acme", reply.error());
        return;
    }
    check_clock(findings, *reply, context.now());
    acme::CaaRequest request{{}, account->url, {}};
    if (const auto directory = acme::parse_directory(reply->body, account->directory); !directory) {
        bad(findings, "acme", directory.error());
    } else {
        request.issuers = directory->caa_identities;
        if (directory->new_authz.empty() &&
            std::any_of(config.ra.domains.begin(), config.ra.domains.end(),
                        [](const auto& domain) { return domain.preauthorize; }))
            warn(findings, "acme", "the CA offers no newAuthz",
                 "set preauthorize = false in the [[domain]]s");
        else
            ok(findings, "acme", fmt::format("{} answers", account->directory));
    }

    // What [dns] names proves by a record.
    const auto& solver = config.ra.solver;
    if (!solver.dns_update.empty() || !solver.hook.empty())
        request.methods = {solver.dns_account ? "dns-account-01" : "dns-01"};
    const auto& named = !solver.resolver.empty() ? solver.resolver : solver.dns_update;
    const auto resolver = dns::resolver_of(named).value_or(dns::system_resolver());
    for (const auto& domain : config.ra.domains) {
        check_authorization(findings, config, account->directory, domain, context.now());
        check_caa(findings, domain.name, request, resolver, context);
        if (!solver.dns_update.empty()) probe_updates(findings, config, domain.name, account->url, context);
    }
}

} // namespace

std::vector<Finding> check_online(const Config& config, base::Context& context)
{
    Findings findings;
    check_ca(findings, config, context);
    fetch_crls(findings, config, context);
    ask_masas(findings, config, context);
    return findings;
}

} // namespace acmetool::relay
