#include "acme-preauth/caa_record.h"

#include <algorithm>
#include <memory>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "acme/caa.h"
#include "acme/issue_value.h"
#include "base/text.h"
#include "common/acme_options.h"
#include "dns/name.h"
#include "dns/zone_text.h"
#include "net/endpoint.h"

namespace acmetool::cli
{
namespace
{

using base::Json;
using base::Level;

struct CaaOptions {
    std::vector<std::string> domains;
    std::string issuer;
    std::vector<std::string> methods;
    bool wildcard = false;
    std::string resolver;
    bool no_dns_check = false;
};

/// RFC 8657 section 4: "label = 1*(ALPHA / DIGIT / "-")". Defaults to dns-01.
Result<std::vector<std::string>> methods_of(const CaaOptions& options)
{
    if (options.methods.empty()) return std::vector<std::string>{"dns-01"};
    std::vector<std::string> methods;
    for (const auto& given : options.methods) {
        const auto method = base::to_lower(given);
        const bool label = !method.empty() && std::all_of(method.begin(), method.end(), [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
        });
        if (!label)
            return fail(Errc::usage,
                        fmt::format("--method \"{}\": not the name of a validation method",
                                    base::printable(given, 50)),
                        "give dns-01, http-01, tls-alpn-01, dns-persist-01 or another method of the CA",
                        "badMethod");
        if (std::find(methods.begin(), methods.end(), method) == methods.end()) methods.push_back(method);
    }
    return methods;
}

/// The CA's name in CAA records: as given, else from its directory.
Result<std::vector<std::string>> issuers_of(const CaaOptions& options, const acme::ClientOptions& account,
                                            Io& io)
{
    if (!options.issuer.empty()) {
        ACMETOOL_TRY(name, dns::normalize_name(options.issuer));
        return std::vector<std::string>{name};
    }
    ACMETOOL_TRY(client, open_client(account, io));
    const auto& directory = client->directory();
    if (directory.caa_identities.empty())
        return fail(Errc::unavailable,
                    fmt::format("{}: the directory contains no caaIdentities", directory.url),
                    "give the CA's documented domain with --issuer", "noIssuer");
    return directory.caa_identities;
}

Json to_json(const acme::CaaRecord& record)
{
    return {{"flags", record.flags}, {"tag", record.tag}, {"value", record.value}};
}

/// Reports the effect of the records published now and returns it for the document. Null if the lookup
/// failed, which is not an error: the records to print do not depend on it.
Json judge_present(const dns::Resolver& resolver, const std::string& domain, const acme::CaaRequest& request,
                   Io& io)
{
    const auto set = acme::find_caa(resolver, domain, io.context());
    if (!set) {
        io.context().log(Level::warning,
                         fmt::format("{}: CAA records could not be looked up: {}; --resolver names a server, "
                                     "--no-dns-check skips the lookup",
                                     domain, set.error().message));
        return nullptr;
    }
    const auto objection = acme::caa_objection(set->records, request);
    Json document{{"allowed", !objection}, {"records", Json::array()}};
    for (const auto& record : set->records)
        document["records"].push_back(to_json(record));
    if (set->name.empty()) {
        io.context().log(Level::info, fmt::format("{}: no CAA record yet: any CA may issue", domain));
        return document;
    }
    document["name"] = set->name;
    if (objection) {
        document["reason"] = *objection;
        io.context().log(Level::warning,
                         fmt::format("{}: the CAA records at {} do not allow this account to issue: {}",
                                     domain, set->name, *objection));
    } else {
        io.context().log(Level::info, fmt::format("{}: the CAA records at {} allow this account to issue",
                                                  domain, set->name));
    }
    return document;
}

Result<void> caa_record(const CaaOptions& options, const acme::ClientOptions& client, Io& io)
{
    if (options.domains.size() != 1)
        return fail(Errc::usage, "acme-preauth caa-record accepts only one domain", "run it once for each");
    ACMETOOL_TRY(domain, dns::normalize_name(options.domains.front()));
    ACMETOOL_TRY(methods, methods_of(options));
    ACMETOOL_TRY(resolver, dns::resolver_of(options.resolver));
    ACMETOOL_TRY(account, acme::load_account(client.account_file));
    ACMETOOL_TRY(issuers, issuers_of(options, client, io));
    ACMETOOL_TRY(value, (acme::IssueValue{
                            issuers.front(),
                            {{"accounturi", account.url}, {"validationmethods", base::join(methods, ",")}}}
                             .text()));
    std::vector<acme::CaaRecord> records{{0, "issue", value}};
    if (options.wildcard) records.push_back({0, "issuewild", value});
    Json present;
    if (!options.no_dns_check)
        present = judge_present(resolver, domain, {issuers, account.url, methods, options.wildcard}, io);
    if (io.json()) {
        Json document{{"identifier", {{"type", "dns"}, {"value", domain}}},
                      {"name", domain},
                      {"records", Json::array()},
                      {"caaIdentities", issuers}};
        for (const auto& record : records)
            document["records"].push_back(to_json(record));
        if (!present.is_null()) document["present"] = std::move(present);
        return io.write_document("caa-record", document);
    }
    std::string lines;
    for (const auto& record : records)
        lines +=
            fmt::format("{}. IN CAA {} {} {}\n", domain, record.flags, record.tag, dns::quoted(record.value));
    return io.write(lines);
}

} // namespace

void add_caa_record(Program& program, acme::ClientOptions& client)
{
    auto options = std::make_shared<CaaOptions>();
    auto& verb = program.verb("caa-record", "print CAA records that allow only this account to issue");
    add_account(verb, client);
    verb.option("--issuer DOMAIN", options->issuer, "Domain name of the CA; default: from its directory")
        .option("--method METHOD", options->methods,
                "Validation method to allow (repeatable); default: dns-01")
        .suggestions({"dns-01", "dns-account-01", "dns-persist-01", "http-01", "tls-alpn-01"})
        .flag("--wildcard", options->wildcard, "Also allow wildcards (issuewild)")
        .option("--resolver HOST[:PORT]", options->resolver,
                "Look up the published records with this resolver")
        .flag("--no-dns-check", options->no_dns_check, "Do not look up the published CAA records")
        .words("DOMAIN", options->domains, "Domain of the certificates", true)
        .example("acme-preauth caa-record --account acct.json domain.com")
        .action([options, &client](Io& io) { return caa_record(*options, client, io); });
}

} // namespace acmetool::cli
