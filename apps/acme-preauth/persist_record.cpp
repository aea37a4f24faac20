#include "acme-preauth/persist_record.h"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "acme/persistent_record.h"
#include "acme/preauth.h"
#include "base/text.h"
#include "cli/options.h"
#include "common/acme_options.h"
#include "dns/name.h"
#include "dns/zone_text.h"

namespace acmetool::cli
{
namespace
{

struct PersistOptions {
    std::vector<std::string> domains;
    bool subdomains = false;
    std::string issuer;
    std::string until;
};

/// Asks the CA for its issuer names, which its challenge lists.
Result<std::vector<std::string>> issuers_of(const PersistOptions& options, const acme::ClientOptions& account,
                                            const std::string& domain, Io& io)
{
    constexpr const char* kHint = "give the CA's documented domain with --issuer";
    ACMETOOL_TRY(client, open_client(account, io));
    acme::SolverOptions persist;
    persist.dns_persist = true;
    ACMETOOL_TRY(solver, acme::make_solver(persist));
    auto preauth = acme::new_authorization(*client, domain, options.subdomains, solver.get());
    if (!preauth) {
        preauth.error().hint = kHint;
        return fail(std::move(preauth).error());
    }
    if (!preauth->task)
        return fail(Errc::unavailable,
                    fmt::format("{}: the authorization is already {} and lists no issuer names", domain,
                                base::printable(preauth->authorization.status)),
                    kHint, "noIssuer");
    return preauth->task->issuers;
}

Result<void> persist_record(const PersistOptions& options, const acme::ClientOptions& client, Io& io)
{
    if (options.domains.size() != 1)
        return fail(Errc::usage, "acme-preauth persist-record accepts only one domain",
                    "run it once for each");
    ACMETOOL_TRY(domain, dns::normalize_name(options.domains.front()));
    acme::PersistentRecord record;
    record.wildcard = options.subdomains;
    ACMETOOL_TRY(until, parse_moment(options.until, "--until", io.context().now()));
    record.until = until;
    ACMETOOL_TRY(account, acme::load_account(client.account_file));
    record.account_uri = account.url;
    std::vector<std::string> issuers;
    if (options.issuer.empty()) {
        ACMETOOL_TRY(found, issuers_of(options, client, domain, io));
        issuers = std::move(found);
    } else {
        ACMETOOL_TRY(name, dns::normalize_name(options.issuer));
        issuers.push_back(name);
    }
    record.issuer = issuers.front();
    const auto name = acme::persistent_name(domain);
    ACMETOOL_TRY(value, record.text());
    if (io.json())
        return io.write_document("persistent-record", {{"identifier", {{"type", "dns"}, {"value", domain}}},
                                                       {"record", {{"name", name}, {"value", value}}},
                                                       {"issuer-domain-names", issuers}});
    return io.write(fmt::format("{}. IN TXT {}\n", name, dns::txt_strings(value)));
}

} // namespace

void add_persist_record(Program& program, acme::ClientOptions& client)
{
    auto options = std::make_shared<PersistOptions>();
    auto& verb = program.verb("persist-record", "print the persistent TXT record for dns-persist-01");
    add_account(verb, client);
    verb.option("--issuer DOMAIN", options->issuer, "Domain name of the CA; default: requested from the CA")
        .option("--until TIME", options->until,
                "End of the record's validity: RFC 3339 or a duration from now; default: none")
        .flag("--subdomains", options->subdomains, "Also cover wildcards and subdomains (policy=wildcard)")
        .words("DOMAIN", options->domains, "Domain of the record", true)
        .action([options, &client](Io& io) { return persist_record(*options, client, io); });
}

} // namespace acmetool::cli
