#include "acme/fulfil.h"

#include <algorithm>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "acme/account_name.h"
#include "acme/persistent_record.h"
#include "base/base64url.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "dns/name.h"
#include "jose/jwk.h"

namespace acmetool::acme
{
namespace
{

using base::Json;

constexpr std::size_t kShortestToken = 22; // 128 bits (RFC 8555 section 8.3)
constexpr std::size_t kLongestToken = 1000;
constexpr std::size_t kThumbprintLength = 43; // SHA-256 in base64url
constexpr std::size_t kMostIssuers = 10;      // from the draft
constexpr std::size_t kMostAccountUris = 10;
constexpr std::size_t kLongestRecord = 5000; // of dns-persist-01: little more than an account's URL

struct Attempt {
    std::size_t index; ///< of the authorization
    Challenge challenge;
    ChallengeTask task;
    bool published = false;
    bool succeeded = false;
};

Result<void> publish_and_wait(Client& client, std::vector<Authorization>& authorizations,
                              std::vector<Attempt>& attempts, Solver& solver)
{
    for (auto& attempt : attempts) {
        // Marked first: a failed publish() may have published something.
        attempt.published = true;
        if (auto done = solver.publish(attempt.task, client.context()); !done)
            return fail(
                with_context(std::move(done).error(), fmt::format("publish: {}", attempt.task.identifier)));
    }
    // Each record has a limit of its own, which together may be longer than the run's.
    client.begin_again();
    for (const auto& attempt : attempts)
        ACMETOOL_CHECK(respond(client, authorizations[attempt.index], attempt.challenge));
    std::optional<Error> failure;
    for (auto& attempt : attempts) {
        auto& authorization = authorizations[attempt.index];
        auto seen = client.wait_until_valid(authorization, attempt.challenge.type);
        if (!seen && seen.error().reason != Cause::validation_failed) return fail(std::move(seen).error());
        if (!seen) {
            if (failure) seen.error().message = failure->message + "; " + seen.error().message;
            failure = std::move(seen).error();
            continue;
        }
        authorization = std::move(*seen);
        attempt.succeeded = authorization.status == "valid";
    }
    if (failure) return fail(std::move(*failure));
    return {};
}

/// What names the account in a record: the first is for a new one, the CA accepts the others, too.
std::vector<std::string> account_uris(const std::string& domain, const Challenge& challenge,
                                      const AccountAt& account)
{
    std::vector<std::string> uris;
    const auto& prefix = account.directory.account_hash_prefix;
    if (!prefix.empty())
        for (const auto name : {std::string_view{domain}, kAnyDomain})
            uris.push_back(hashed_account_uri(prefix, name, account.thumbprint, account.url));
    if (!challenge.account_uri.empty()) uris.push_back(challenge.account_uri);
    if (uris.empty()) uris.push_back(account.url);
    return uris;
}

bool has_all(const std::vector<std::string>& list, const std::vector<std::string>& wanted)
{
    return std::all_of(wanted.begin(), wanted.end(), [&](const std::string& value) {
        return std::find(list.begin(), list.end(), value) != list.end();
    });
}

Result<ChallengeTask> persistent_task(const Authorization& authorization, const Challenge& challenge,
                                      const AccountAt& account)
{
    ChallengeTask task;
    task.type = challenge.type;
    task.identifier = authorization.identifier;
    for (const auto& name : challenge.issuer_domain_names) {
        const auto normal = dns::normalize_name(name);
        if (normal) task.issuers.push_back(*normal);
    }
    if (task.issuers.empty() || challenge.issuer_domain_names.size() > kMostIssuers)
        return fail(Errc::protocol,
                    fmt::format("{}: the dns-persist-01 challenge lists no issuer or more than {}",
                                authorization.identifier, kMostIssuers),
                    "report it to the CA's operator", "badIssuers");
    // Draft -02, section "Directory Metadata for Issuer Domain Names": the directory's names are in each
    // challenge, and those of a challenge in caaIdentities.
    const auto& directory = account.directory;
    if (!directory.issuer_domain_names.empty() &&
        (!has_all(task.issuers, directory.issuer_domain_names) ||
         (!directory.caa_identities.empty() && !has_all(directory.caa_identities, task.issuers))))
        return fail(
            Errc::protocol,
            fmt::format("{}: the issuers of the dns-persist-01 challenge are not those of the directory",
                        authorization.identifier),
            "report it to the CA's operator", "badIssuers");
    const bool wide = authorization.wildcard || authorization.subdomain_auth_allowed;
    task.record_name = persistent_name(task.identifier);
    task.account_uris = account_uris(task.identifier, challenge, account);
    ACMETOOL_TRY(value, (PersistentRecord{task.issuers.front(), task.account_uris.front(), wide, {}}.text()));
    task.record_value = value;
    return task;
}

} // namespace

Result<AccountAt> account_at(const crypto::Key& key, const std::string& url, const Directory& directory)
{
    ACMETOOL_TRY(thumbprint, jose::thumbprint(key));
    return AccountAt{thumbprint, url, directory};
}

bool is_token(std::string_view text)
{
    return text.size() >= kShortestToken && text.size() <= kLongestToken && base::is_base64url(text);
}

Result<ChallengeTask> task_for(const Authorization& authorization, const Challenge& challenge,
                               const AccountAt& account)
{
    if (challenge.type == "dns-persist-01") return persistent_task(authorization, challenge, account);
    if (!is_token(challenge.token))
        return fail(
            Errc::protocol,
            fmt::format("{}: the token of the {} challenge is not base64url of at least {} characters",
                        authorization.identifier, challenge.type, kShortestToken),
            "the CA violates RFC 8555 section 8: report it to its operator", "badToken");
    ChallengeTask task;
    task.type = challenge.type;
    task.identifier = authorization.identifier;
    task.token = challenge.token;
    task.key_authorization = challenge.token + "." + account.thumbprint;
    if (is_digest_record(task.type)) {
        task.record_name = task.type == "dns-01" ? dns::validation_name(task.identifier)
                                                 : account_validation_name(account.url, task.identifier);
        task.record_value = base::to_base64url(crypto::sha256(as_bytes(task.key_authorization)));
    }
    return task;
}

Result<Challenge> choose_challenge(const Authorization& authorization, const Solver* solver)
{
    // RFC 8738 section 7: "The existing "dns-01" challenge MUST NOT be used to validate IP identifiers."
    const auto usable = [&](const Challenge& challenge) {
        return !challenge.type.starts_with("dns-") || !dns::is_ip_literal(authorization.identifier);
    };
    // dns-01 first: a whole domain requires it, and servers list challenges in any order.
    if (const auto* dns = authorization.find_challenge("dns-01");
        dns != nullptr && usable(*dns) && (solver == nullptr || solver->supports("dns-01")))
        return *dns;
    std::vector<std::string> offered;
    for (const auto& challenge : authorization.challenges) {
        if (solver != nullptr && solver->supports(challenge.type) && usable(challenge)) return challenge;
        offered.push_back(base::printable(challenge.type, 50));
    }
    return fail(Errc::authorization_needed,
                fmt::format("{}: no supported challenge; the CA offers {}", authorization.identifier,
                            offered.empty() ? "none" : base::join(offered, ", ")),
                "give a solver for one of these types: --dns-update, --hook, --webroot, --standalone, "
                "--dns-persist, --manual",
                "noUsableChallenge");
}

Result<void> respond(Client& client, const Authorization& authorization, const Challenge& challenge)
{
    Post post{Step::challenge, authorization.identifier, challenge.url, "{}"};
    post.just_created = true;
    auto reply = client.post(std::move(post));
    // A challenge that the server already validated is no longer pending, and a second response is
    // "malformed". The authorization, read afterwards, decides.
    if (!reply && reply.error().reason != Cause::malformed) return fail(std::move(reply).error());
    return {};
}

Result<std::vector<Authorization>> fulfil(Client& client, std::vector<Authorization> authorizations,
                                          Solver& solver, const Journal& journal)
{
    std::vector<Attempt> attempts;
    std::vector<ChallengeTask> tasks;
    ACMETOOL_TRY(account, account_at(client.key(), client.account_url(), client.directory()));
    for (std::size_t i = 0; i < authorizations.size(); ++i) {
        const auto& authorization = authorizations[i];
        if (authorization.status == "valid") continue;
        if (authorization.status != "pending")
            return fail(Errc::refused,
                        fmt::format("{}: {}", authorization.identifier, authorization.why_not_valid()),
                        "run the command again for a new authorization", "authorizationNotPending");
        ACMETOOL_TRY(challenge, choose_challenge(authorization, &solver));
        ACMETOOL_TRY(task, task_for(authorization, challenge, account));
        tasks.push_back(task);
        attempts.push_back({i, std::move(challenge), std::move(task)});
    }
    if (attempts.empty()) return authorizations;
    ACMETOOL_CHECK(journal(tasks));
    auto result = publish_and_wait(client, authorizations, attempts, solver);
    bool clean = true;
    for (const auto& attempt : attempts) {
        if (!attempt.published) continue;
        if (const auto done = solver.cleanup(attempt.task, attempt.succeeded, client.context()); !done) {
            clean = false;
            client.context().log(base::Level::warning, fmt::format("cleanup: {}: {}", attempt.task.identifier,
                                                                   done.error().message));
        }
    }
    if (clean) ACMETOOL_CHECK(journal({}));
    if (!result) return fail(std::move(result).error());
    return authorizations;
}

Json to_json(const ChallengeTask& task)
{
    Json object{{"type", task.type},
                {"identifier", task.identifier},
                {"token", task.token},
                {"keyAuthorization", task.key_authorization}};
    if (!task.issuers.empty()) object["issuer-domain-names"] = task.issuers;
    if (!task.account_uris.empty()) object["accountUris"] = task.account_uris;
    if (!task.record_name.empty())
        object["record"] = {{"name", task.record_name}, {"value", task.record_value}};
    return object;
}

Result<ChallengeTask> parse_task(const Json& object)
{
    ChallengeTask task;
    ACMETOOL_TRY(type, base::required_string(object, "type", "challenge"));
    ACMETOOL_TRY(identifier, base::required_string(object, "identifier", "challenge"));
    const bool persistent = type == "dns-persist-01";
    if (!persistent && !is_digest_record(type) && type != "http-01" && type != "tls-alpn-01")
        return fail(Errc::bad_input, fmt::format("challenge: unknown type \"{}\"", base::printable(type, 50)),
                    {}, "badChallengeType");
    std::string token = base::string_member(object, "token").value_or("");
    if (!persistent) {
        ACMETOOL_TRY(needed, base::required_string(object, "token", "challenge"));
        token = needed;
    }
    std::string name = identifier; // an address is not normalised: it is only compared with itself
    if (!dns::is_ip_literal(identifier)) {
        ACMETOOL_TRY(normal, dns::normalize_name(identifier));
        name = normal;
    }
    if (!persistent && !is_token(token))
        return fail(
            Errc::bad_input,
            fmt::format("challenge: the token is not base64url of at least {} characters", kShortestToken),
            {}, "badToken");
    task.type = type;
    task.identifier = name;
    task.token = token;
    task.key_authorization = base::string_member(object, "keyAuthorization").value_or("");
    if (!task.key_authorization.empty() &&
        (!task.key_authorization.starts_with(token + ".") ||
         task.key_authorization.size() != token.size() + 1 + kThumbprintLength ||
         !base::is_base64url(task.key_authorization.substr(token.size() + 1))))
        return fail(Errc::bad_input, "challenge: keyAuthorization is not token \".\" thumbprint", {},
                    "badToken");
    if (!is_digest_record(task.type) && !persistent) return task;
    const auto record = object.find("record");
    ACMETOOL_TRY(record_name,
                 base::required_string(record == object.end() ? Json{} : *record, "name", "record"));
    ACMETOOL_TRY(record_value,
                 base::required_string(record == object.end() ? Json{} : *record, "value", "record"));
    if (persistent) {
        if (const auto names = object.find("issuer-domain-names"); names != object.end() && names->is_array())
            for (const auto& issuer : *names)
                if (const auto normal =
                        dns::normalize_name(issuer.is_string() ? issuer.get<std::string>() : std::string{}))
                    task.issuers.push_back(*normal);
        if (!dns::same_name(record_name, persistent_name(name)) || !parse_persistent_record(record_value) ||
            task.issuers.empty() || task.issuers.size() > kMostIssuers ||
            record_value.size() > kLongestRecord)
            return fail(Errc::bad_input, fmt::format("record: not a dns-persist-01 record for {}", name), {},
                        "badRecord");
        if (const auto uris = object.find("accountUris"); uris != object.end() && uris->is_array())
            for (const auto& uri : *uris)
                if (uri.is_string() && task.account_uris.size() < kMostAccountUris)
                    task.account_uris.push_back(uri.get<std::string>());
        task.record_name = persistent_name(name);
        task.record_value = record_value;
        return task;
    }
    // The record must be at the validation name of the identifier and contain a digest: a document must not
    // cause writes elsewhere or of other content.
    const bool own_name = task.type == "dns-account-01"
                              ? is_account_validation_name(record_name, name)
                              : dns::same_name(record_name, dns::validation_name(name));
    if (!own_name || record_value.size() != 43 || !base::is_base64url(record_value))
        return fail(Errc::bad_input, fmt::format("record: not a {} record for {}", task.type, name),
                    "expected 43 characters of base64url at _acme-challenge.<identifier>", "badRecord");
    task.record_name = base::to_lower(record_name);
    task.record_value = record_value;
    return task;
}

Result<void> check_solver(const Solver& solver, const ChallengeTask& task)
{
    if (solver.supports(task.type)) return {};
    return fail(
        Errc::bad_input,
        fmt::format("{}: the document contains a {} challenge, which the given solver does not support",
                    task.identifier, task.type),
        "give the same solver as for acme-preauth new", "otherSolver");
}

void clean_up_after_crash(const Json& entry, Solver& solver, base::Context& context)
{
    const auto list = entry.find("published");
    if (list == entry.end() || !list->is_array()) return;
    for (const auto& object : *list) {
        const auto task = parse_task(object);
        if (!task || !solver.supports(task->type)) continue;
        context.log(
            base::Level::detail,
            fmt::format("removing the challenge that an interrupted run published for {}", task->identifier));
        if (const auto done = solver.cleanup(*task, false, context); !done)
            context.log(base::Level::warning,
                        fmt::format("cleanup: {}: {}", task->identifier, done.error().message));
    }
}

} // namespace acmetool::acme
