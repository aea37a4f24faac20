#include "acme/preauth.h"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "base/word.h"
#include "dns/name.h"

namespace acmetool::acme
{
namespace
{

using base::Json;

StateDirectory::Key key_of(const std::string& directory, const std::string& domain)
{
    return {"authz", entry_id({directory, domain})};
}

/// Chooses the challenge and what must be published for it; nothing if nothing remains to be proved.
Result<void> prepare(PreAuthorization& preauth, const Solver* solver, const Client& client)
{
    preauth.task.reset();
    if (preauth.authorization.status != "pending") return {};
    ACMETOOL_TRY(challenge, choose_challenge(preauth.authorization, solver));
    ACMETOOL_TRY(account, account_at(client.key(), client.account_url(), client.directory()));
    ACMETOOL_TRY(task, task_for(preauth.authorization, challenge, account));
    preauth.challenge_url = challenge.url;
    preauth.task = std::move(task);
    return {};
}

} // namespace

Json to_json(const PreAuthorization& preauth)
{
    const auto& authorization = preauth.authorization;
    Json object{{"identifier", {{"type", "dns"}, {"value", authorization.identifier}}},
                {"subdomainAuthAllowed", authorization.subdomain_auth_allowed},
                {"subdomainsAsked", preauth.subdomains_asked},
                {"status", authorization.status},
                {"url", authorization.url}};
    if (authorization.expires) object["expires"] = base::to_rfc3339(*authorization.expires);
    if (preauth.obtained) object["obtained"] = base::to_rfc3339(*preauth.obtained);
    if (preauth.task) {
        Json challenge{{"type", preauth.task->type}, {"url", preauth.challenge_url}};
        if (preauth.task->issuers.empty()) {
            challenge["token"] = preauth.task->token;
            challenge["keyAuthorization"] = preauth.task->key_authorization;
        } else {
            challenge["issuer-domain-names"] = preauth.task->issuers;
            challenge["accountUris"] = preauth.task->account_uris;
        }
        object["challenge"] = std::move(challenge);
        if (!preauth.task->record_name.empty())
            object["record"] = {{"name", preauth.task->record_name}, {"value", preauth.task->record_value}};
    }
    return object;
}

Result<PreAuthorization> parse_preauth(std::string_view json)
{
    constexpr std::string_view kHint =
        "expected the JSON document printed by the previous step of acme-preauth";
    auto object = base::parse_json_object(json, "authorization document");
    if (!object) {
        object.error().hint = kHint;
        object.error().reason = "notADocument";
        return fail(std::move(object).error());
    }
    if (base::string_member(*object, "type") != "authorization")
        return fail(Errc::bad_input,
                    fmt::format("expected a document of type \"authorization\", not \"{}\"",
                                base::printable(base::string_member(*object, "type").value_or(""), 50)),
                    std::string{kHint}, "notADocument");
    PreAuthorization preauth;
    auto& authorization = preauth.authorization;
    const auto identifier = object->find("identifier");
    ACMETOOL_TRY(value, base::required_string(identifier == object->end() ? Json{} : *identifier, "value",
                                              "authorization document"));
    ACMETOOL_TRY(name, dns::normalize_name(value));
    ACMETOOL_TRY(status, base::required_string(*object, "status", "authorization document"));
    ACMETOOL_TRY(url, base::required_string(*object, "url", "authorization document"));
    if (!base::is_word(status) || origin_of(url).empty())
        return fail(Errc::bad_input,
                    "authorization document: \"status\" is malformed or \"url\" is not an https URL",
                    std::string{kHint}, "notADocument");
    authorization.identifier = name;
    authorization.status = status;
    authorization.url = url;
    authorization.subdomain_auth_allowed = base::bool_member(*object, "subdomainAuthAllowed", false);
    preauth.subdomains_asked = base::bool_member(*object, "subdomainsAsked", false);
    for (const auto& [member, time] :
         {std::pair{"expires", &authorization.expires}, std::pair{"obtained", &preauth.obtained}}) {
        const auto text = base::string_member(*object, member);
        if (!text) continue;
        ACMETOOL_TRY(parsed, base::parse_rfc3339(*text));
        *time = parsed;
    }
    const auto challenge = object->find("challenge");
    if (challenge == object->end()) return preauth;
    Json task = *challenge;
    if (!task.is_object()) return fail(Errc::bad_input, "authorization document: invalid \"challenge\"");
    task["identifier"] = name;
    if (const auto record = object->find("record"); record != object->end()) task["record"] = *record;
    ACMETOOL_TRY(parsed, parse_task(task));
    preauth.task = std::move(parsed);
    preauth.challenge_url = base::string_member(*challenge, "url").value_or("");
    return preauth;
}

Result<PreAuthorization> new_authorization(Client& client, const std::string& domain, bool subdomains,
                                           const Solver* solver)
{
    constexpr std::string_view kFallback =
        "authorize within the order instead: acme-order run --ancestor-domain DOMAIN with a solver";
    const auto& directory = client.directory();
    if (directory.new_authz.empty())
        return fail(Errc::unavailable,
                    fmt::format("newAuthz: {}: {} does not offer pre-authorization", domain, directory.url),
                    std::string{kFallback}, Cause::new_authz_unsupported);
    if (subdomains && !directory.subdomain_auth_allowed)
        client.context().log(base::Level::detail,
                             "the directory does not announce subdomainAuthAllowed; requesting it "
                             "anyway");
    Json identifier{{"type", "dns"}, {"value", domain}};
    if (subdomains) identifier["subdomainAuthAllowed"] = true;
    Post request{Step::new_authz, domain, directory.new_authz, Json{{"identifier", identifier}}.dump()};
    request.if_missing = Cause::new_authz_unsupported;
    auto reply = client.post(std::move(request));
    if (!reply) {
        if (reply.error().reason == Cause::new_authz_unsupported) reply.error().hint = kFallback;
        return fail(std::move(reply).error());
    }
    if (reply->location.empty())
        return fail(Errc::protocol,
                    fmt::format("newAuthz: {}: the reply has no Location header of this CA", domain),
                    "the CA violates RFC 8555 section 7.4.1: report it to its operator", "noLocation");
    PreAuthorization preauth;
    preauth.subdomains_asked = subdomains;
    auto authorization = parse_authorization(reply->body, reply->location, scope_of_name(domain));
    if (!authorization) return fail(with_context(std::move(authorization).error(), "newAuthz"));
    preauth.authorization = std::move(*authorization);
    if (preauth.authorization.status == "valid") preauth.obtained = client.context().now();
    ACMETOOL_CHECK(prepare(preauth, solver, client));
    return preauth;
}

Result<Authorization> read_again(Client& client, const PreAuthorization& preauth, bool created)
{
    const auto& known = preauth.authorization;
    auto seen = client.fetch_authorization(known.url, scope_of_name(known.identifier), created);
    if (seen || seen.error().reason != Cause::other_identifier) return seen;
    // Either the CA or the document is wrong; the document is more likely, because others handled it.
    seen.error().code = Errc::bad_input;
    seen.error().hint = "the document was modified after it was created";
    return seen;
}

Result<void> respond(Client& client, PreAuthorization& preauth)
{
    ACMETOOL_TRY(seen, read_again(client, preauth, true));
    if (seen.status == "pending" && !preauth.task)
        return fail(Errc::bad_input,
                    fmt::format("respond: {}: the document contains no challenge", seen.identifier),
                    "give the document that acme-preauth publish printed", "noChallenge");
    if (seen.status == "pending") {
        const auto* challenge = seen.find_challenge(preauth.task->type);
        if (challenge == nullptr || challenge->token != preauth.task->token)
            return fail(
                Errc::bad_input,
                fmt::format("respond: {}: the authorization has no {} challenge with the document's token",
                            seen.identifier, preauth.task->type),
                "the document belongs to another authorization: start again with acme-preauth new",
                "otherChallenge");
        if (challenge->status == "pending") ACMETOOL_CHECK(respond(client, seen, *challenge));
    }
    const auto type = preauth.task ? preauth.task->type : std::string{"unknown"};
    ACMETOOL_TRY(last, client.wait_until_valid(preauth.authorization, type));
    preauth.authorization = std::move(last);
    if (preauth.authorization.status == "valid" && !preauth.obtained)
        preauth.obtained = client.context().now();
    return {};
}

Result<std::optional<PreAuthorization>> remembered(StateDirectory& state, const std::string& directory,
                                                   const std::string& domain)
{
    ACMETOOL_TRY(entry, state.load(key_of(directory, domain)));
    if (!entry || !entry->contains("document")) return std::optional<PreAuthorization>{};
    ACMETOOL_TRY(preauth, parse_preauth(base::to_text((*entry)["document"])));
    return std::optional<PreAuthorization>{std::move(preauth)};
}

std::vector<KeptAuthorization> kept_authorizations(const StateDirectory& state)
{
    std::vector<KeptAuthorization> all;
    for (const auto& id : state.list("authz")) {
        const auto entry = state.load({"authz", id});
        if (!entry || !*entry) continue;
        KeptAuthorization kept{id,
                               base::string_member(**entry, "domain").value_or(""),
                               {},
                               base::string_member(**entry, "unfinished").value_or(""),
                               kept_failure(**entry)};
        if (const auto document = (*entry)->find("document"); document != (*entry)->end())
            if (auto preauth = parse_preauth(base::to_text(*document))) {
                kept.domain = preauth->authorization.identifier;
                kept.known = std::move(*preauth);
            }
        all.push_back(std::move(kept));
    }
    return all;
}

void keep_failed_authorization(StateDirectory& state, const std::string& directory, const std::string& domain,
                               const Error& error, base::Context& context)
{
    const auto key = key_of(directory, domain);
    const auto lock = state.lock(key, context);
    const auto known = state.load(key);
    if (!lock || !known) return;
    auto entry = *known ? **known : Json::object();
    entry["domain"] = domain;
    keep_failure(entry, error, context.now());
    static_cast<void>(state.save(key, entry));
}

namespace
{

/// Under the lock of the entry.
Result<PreAuthorization> prove(Client& client, const std::string& domain, bool subdomains, Solver& solver,
                               const StateDirectory::Key& key)
{
    auto& state = client.state();
    ACMETOOL_TRY(loaded, state.load(key));
    Json entry = loaded ? std::move(*loaded) : Json::object();
    entry["domain"] = domain;
    clean_up_after_crash(entry, solver, client.context());

    PreAuthorization preauth;
    preauth.subdomains_asked = subdomains;
    const auto unfinished = base::string_member(entry, "unfinished");
    bool found = false;
    if (unfinished && base::bool_member(entry, "subdomainsAsked", false) == subdomains &&
        client.directory().owns(*unfinished)) {
        // A run was killed after newAuthz: continue with its authorization, if the server still has it.
        if (auto seen = client.fetch_authorization(*unfinished, scope_of_name(domain));
            seen && (seen->status == "pending" || seen->status == "valid")) {
            preauth.authorization = std::move(*seen);
            found = true;
        }
    }
    if (!found) {
        ACMETOOL_TRY(made, new_authorization(client, domain, subdomains, &solver));
        preauth = std::move(made);
        entry["unfinished"] = preauth.authorization.url;
        entry["subdomainsAsked"] = subdomains;
        entry.erase("published");
        ACMETOOL_CHECK(state.save(key, entry));
    }
    const Journal journal = [&](const std::vector<ChallengeTask>& tasks) {
        entry["published"] = Json::array();
        for (const auto& task : tasks)
            entry["published"].push_back(to_json(task));
        return state.save(key, entry);
    };
    auto fulfilled = fulfil(client, {preauth.authorization}, solver, journal);
    if (!fulfilled) {
        if (fulfilled.error().reason == Cause::validation_failed) {
            entry.erase("unfinished"); // an invalid authorization is useless
            ACMETOOL_CHECK(state.save(key, entry));
        }
        return fail(std::move(fulfilled).error());
    }
    preauth.authorization = std::move(fulfilled->front());
    preauth.task.reset();
    if (preauth.authorization.status != "valid") return preauth;
    preauth.obtained = client.context().now();
    Json document = to_json(preauth);
    document["type"] = "authorization";
    entry["document"] = std::move(document);
    entry.erase("unfinished");
    forget_failure(entry);
    ACMETOOL_CHECK(state.save(key, entry));
    return preauth;
}

} // namespace

Result<PreAuthorization> preauthorize(Client& client, const std::string& domain, bool subdomains,
                                      Solver& solver)
{
    const auto& directory = client.directory().url;
    auto proved = [&]() -> Result<PreAuthorization> {
        const auto key = key_of(directory, domain);
        const auto lock = client.state().lock(key, client.context());
        if (!lock) return fail(lock.error());
        return prove(client, domain, subdomains, solver, key);
    }();
    if (!proved && proved.error().code != Errc::interrupted)
        keep_failed_authorization(client.state(), directory, domain, proved.error(), client.context());
    return proved;
}

Result<Authorization> deactivate_authorization(Client& client, const Authorization& known)
{
    ACMETOOL_TRY(reply,
                 client.post(Post{Step::authz, known.identifier, known.url, R"({"status":"deactivated"})"}));
    ACMETOOL_TRY(seen, parse_authorization(reply.body, known.url, scope_of_name(known.identifier)));
    if (seen.status != "deactivated")
        return fail(Errc::protocol,
                    fmt::format("authz: {}: still {} after the deactivation", known.identifier, seen.status),
                    "the CA accepted the request but changed nothing: report it to its operator",
                    "authorizationNotDeactivated");
    return seen;
}

} // namespace acmetool::acme
