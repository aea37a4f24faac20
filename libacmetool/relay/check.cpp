#include "relay/check.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "acme/account.h"
#include "acme/caa.h"
#include "acme/directory.h"
#include "acme/preauth.h"
#include "acme/solver.h"
#include "base/text.h"
#include "crypto/cert.h"
#include "dns/name.h"
#include "dns/public_suffix.h"
#include "dns/query.h"
#include "http/client.h"
#include "http/tls_context.h"
#include "net/endpoint.h"
#include "ra/acme_issuer.h"
#include "ra/ca_set.h"
#include "ra/exclusion.h"
#include "ra/inventory.h"
#include "ra/records.h"
#include "ra/users.h"
#include "relay/findings.h"
#include "store/atomic_file.h"
#include "store/certified_key.h"

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

void check_clients(Findings& findings, const Config& config, base::TimePoint now)
{
    const auto& idevid = config.ra.idevid;
    for (const auto& file : idevid.trust) {
        const auto anchors = store::read_certificates(file);
        if (!anchors) {
            bad(findings, "clients.idevid", anchors.error());
            continue;
        }
        for (const auto& anchor : *anchors)
            check_end(findings, "clients.idevid", fmt::format("manufacturer {}", anchor.subject()),
                      anchor.not_after(), now, "ask the manufacturer for the next CA certificate");
    }
    if (!idevid.inventory.empty()) {
        const auto text = store::read_file(idevid.inventory);
        const auto inventory =
            text ? ra::parse_inventory(*text, idevid.inventory) : Result<ra::Inventory>{fail(text.error())};
        if (inventory)
            ok(findings, "clients.idevid", fmt::format("{} devices in the inventory", inventory->size()));
        else
            bad(findings, "clients.idevid", inventory.error());
    }
    if (idevid.accept_any)
        warn(findings, "clients.idevid", "accept_any allows every device of these manufacturers to enrol",
             "list your devices in an inventory");
    else if (!idevid.trust.empty() && idevid.inventory.empty())
        warn(findings, "clients.idevid", "without an inventory all devices of manufacturers are refused",
             "set inventory to the file that lists the devices");
    if (!config.ra.users_file.empty()) {
        const auto text = store::read_file(config.ra.users_file);
        const auto users =
            text ? ra::parse_users(*text, config.ra.users_file) : Result<ra::Users>{fail(text.error())};
        if (users)
            ok(findings, "clients.basic", fmt::format("{} users", users->size()));
        else
            bad(findings, "clients.basic", users.error());
    }
    if (idevid.trust.empty() && config.ra.users_file.empty())
        warn(findings, "clients", "no new device can enrol: neither manufacturers nor users are configured",
             "set trust in [clients.idevid] or file in [clients.basic]");
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

/// Whether what the CA's chains brought so far leads to the root (INT-22).
void check_chain(Findings& findings, const Config& config, const crypto::Certificate& root,
                 base::TimePoint now)
{
    const std::string subject = "cacerts";
    std::error_code none;
    if (!std::filesystem::exists(config.ra.store_file, none)) {
        ok(findings, subject,
           "no chain of the CA is known yet: the first one will be compared with the root");
        return;
    }
    if (const auto shared = ra::check_shared(config.ra.store_file); !shared) {
        findings.push_back({Verdict::fail, "store", shared.error().message, shared.error().hint});
        return;
    }
    const auto database = ra::Records::open(config.ra.store_file);
    const auto ders = database ? ra::Records{**database}.intermediates()
                               : Result<std::vector<Bytes>>{fail(database.error())};
    if (!ders) {
        warn(findings, subject, fmt::format("the CA's chain could not be read: {}", ders.error().message),
             "");
        return;
    }
    ra::CaSet set;
    set.set_root(root);
    set.set_intermediates(*ders, now);
    const auto leading = set.offered().size() - 1;
    if (ders->empty())
        ok(findings, subject, "no intermediate of the CA is known yet");
    else if (leading == 0)
        findings.push_back({Verdict::fail, subject,
                            fmt::format("none of the CA's {} intermediates leads to this root", ders->size()),
                            "check that root is the root certificate of the CA behind the ACME server"});
    else
        ok(findings, subject,
           fmt::format("{} of the CA's {} intermediates lead to it", leading, ders->size()));
}

void check_rest(Findings& findings, const Config& config, base::TimePoint now)
{
    if (const auto root = ra::CaSet::read_root(config.ra.root_file); !root) {
        bad(findings, "cacerts", root.error());
    } else {
        check_end(findings, "cacerts", fmt::format("root {}", root->subject()), root->not_after(), now,
                  "obtain the CA's next root certificate");
        check_chain(findings, config, *root, now);
    }
    const auto folder = std::filesystem::path{config.ra.store_file}.parent_path().string();
    if (::access(folder.empty() ? "." : folder.c_str(), W_OK) != 0)
        findings.push_back({Verdict::fail, "store",
                            fmt::format("{}: its folder is not writable", config.ra.store_file),
                            "the database and its journal are stored there"});
    else
        ok(findings, "store", config.ra.store_file);
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
               const net::Endpoint& resolver, base::Context& context)
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
                   base::Context& context)
{
    const auto subject = "domain " + domain;
    auto settings = config.ra.solver;
    settings.no_dns_check = true;
    const auto solver = acme::make_solver(settings);
    if (!solver || *solver == nullptr) return;
    acme::ChallengeTask task;
    task.type = "dns-01";
    task.identifier = domain;
    task.record_name = dns::validation_name(domain);
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
    check_clients(findings, config, now);
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

    // What [dns] names proves by dns-01.
    const auto& solver = config.ra.solver;
    if (!solver.dns_update.empty() || !solver.hook.empty()) request.methods = {"dns-01"};
    const auto& named = !solver.resolver.empty() ? solver.resolver : solver.dns_update;
    const auto resolver = dns::resolver_of(named).value_or(dns::system_resolver());
    for (const auto& domain : config.ra.domains) {
        check_authorization(findings, config, account->directory, domain, context.now());
        check_caa(findings, domain.name, request, resolver, context);
        if (!solver.dns_update.empty()) probe_updates(findings, config, domain.name, context);
    }
}

} // namespace

std::vector<Finding> check_online(const Config& config, base::Context& context)
{
    Findings findings;
    check_ca(findings, config, context);
    ask_masas(findings, config, context);
    return findings;
}

} // namespace acmetool::relay
