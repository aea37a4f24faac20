#include "acme-preauth/persist_record.h"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "acme/account.h"
#include "acme/fulfil.h"
#include "acme/passphrase.h"
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

/// The CA's names and what its records say of the account.
struct Naming {
    std::vector<std::string> issuers;
    std::string account_uri;
};

/// Asks the CA for a challenge, which has both.
Result<Naming> naming_in_challenge(acme::Client& client, const std::string& domain, bool subdomains)
{
    constexpr const char* kHint = "give the CA's documented domain with --issuer";
    acme::SolverOptions persist;
    persist.dns_persist = true;
    ACMETOOL_TRY(solver, acme::make_solver(persist));
    auto preauth = acme::new_authorization(client, domain, subdomains, solver.get());
    if (!preauth) {
        preauth.error().hint = kHint;
        return fail(std::move(preauth).error());
    }
    if (!preauth->task)
        return fail(Errc::unavailable,
                    fmt::format("{}: the authorization is already {} and lists no issuer names", domain,
                                base::printable(preauth->authorization.status)),
                    kHint, "noIssuer");
    return Naming{preauth->task->issuers, preauth->task->account_uris.front()};
}

std::string uri_in_records(const acme::AccountAt& account, const std::string& domain)
{
    const auto& prefix = account.directory.account_hash_prefix;
    return prefix.empty() ? account.url
                          : acme::hashed_account_uri(prefix, domain, account.thumbprint, account.url);
}

/// With --issuer: only the directory is read, and the key only if the directory demands a hash.
Result<Naming> naming_with_issuer(const PersistOptions& options, const acme::ClientOptions& account,
                                  const std::string& domain, Io& io)
{
    ACMETOOL_TRY(issuer, dns::normalize_name(options.issuer));
    ACMETOOL_TRY(file, acme::load_account(account.account_file));
    const auto ca_file =
        io.ca_file().empty() ? acme::beside(account.account_file, file.ca_file) : io.ca_file();
    ACMETOOL_TRY(client, acme::Client::connect(file.directory, ca_file, {},
                                               io.timeout().value_or(account.timeout), io.context()));
    if (client->directory().account_hash_prefix.empty()) return Naming{{issuer}, file.url};
    const auto key_file = acme::beside(account.account_file, file.key_file);
    ACMETOOL_TRY(passphrase, acme::passphrase_for(key_file, account.passphrase, io.context()));
    ACMETOOL_TRY(key, acme::load_account_key(key_file, passphrase, &io.context()));
    ACMETOOL_TRY(own, acme::account_at(key, file.url, client->directory()));
    return Naming{{issuer}, uri_in_records(own, domain)};
}

/// From the directory if it has them (draft -02), else from a challenge.
Result<Naming> naming_of(const PersistOptions& options, const acme::ClientOptions& account,
                         const std::string& domain, Io& io)
{
    if (!options.issuer.empty()) return naming_with_issuer(options, account, domain, io);
    ACMETOOL_TRY(client, open_client(account, io));
    const auto& directory = client->directory();
    if (directory.issuer_domain_names.empty())
        return naming_in_challenge(*client, domain, options.subdomains);
    ACMETOOL_TRY(own, acme::account_at(client->key(), client->account_url(), directory));
    return Naming{directory.issuer_domain_names, uri_in_records(own, domain)};
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
    ACMETOOL_TRY(naming, naming_of(options, client, domain, io));
    const auto& issuers = naming.issuers;
    record.account_uri = naming.account_uri;
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
        .example("acme-preauth persist-record --account acct.json --subdomains domain.com")
        .action([options, &client](Io& io) { return persist_record(*options, client, io); });
}

} // namespace acmetool::cli
