#include "ca/service_impl.h"

#include "acme/account_name.h"
#include "acme/solver.h"

#include <fmt/core.h>

#include "base/base64url.h"
#include "crypto/digest.h"
#include "dns/name.h"

namespace acmetool::ca
{
namespace
{

/// What became of a challenge, in its authorization.
void note_result(Json& authz, const std::string& type, const std::optional<ValidationFailure>& failure,
                 base::TimePoint now, base::TimePoint expires)
{
    const auto* const status = failure ? "invalid" : "valid";
    for (auto& challenge : authz.at("challenges")) {
        if (challenge.at("type") != type) continue;
        challenge["status"] = status;
        if (failure)
            challenge["error"] = problem_of({failure->status, failure->type, failure->detail});
        else
            challenge["validated"] = base::to_rfc3339(now);
    }
    authz["status"] = status;
    if (!failure) authz["expires"] = base::to_rfc3339(expires);
}

} // namespace

void Service::Impl::schedule(Validation validation)
{
    const std::chrono::seconds delay{faults.number("challengeDelay")};
    commits.worker().at(base::Worker::Clock::now() + delay,
                        [this, validation = std::move(validation)]() mutable {
                            due.push_back(std::move(validation));
                            start_validations();
                        });
}

void Service::Impl::start_validations()
{
    while (validating < kMostValidations && !due.empty()) {
        auto validation = std::make_shared<const Validation>(std::move(due.front()));
        due.pop_front();
        const bool taken = pool.post([this, validation] {
            if (validation->type == "caa")
                conclude_caa(*validation, look_at_caa(validation->object));
            else
                conclude(*validation, look_at(*validation));
            commits.worker().post([this] {
                --validating;
                start_validations();
            });
        });
        if (!taken) return; // the service ends; its successor takes the challenge up
        ++validating;
    }
}

Service::Impl::Outcome Service::Impl::look_at_record(const Json& authz, base::Context& context)
{
    const auto name = authz.at("name").get<std::string>();
    const auto account = url("/account/" + authz.at("account").get<std::string>());
    const bool wide =
        base::bool_member(authz, "wildcard", false) || base::bool_member(authz, "subdomains", false);
    std::vector<std::string> accounts;
    if (options.validation.dns_persist != DnsPersist::hash) accounts.push_back(account);
    if (options.validation.dns_persist != DnsPersist::url)
        for (const auto domain : {std::string_view{name}, acme::kAnyDomain})
            accounts.push_back(acme::hashed_account_uri(url(kAccountHashPath), domain,
                                                        authz.at("thumbprint").get<std::string>(), account));
    for (const auto& uri : authz.value("acceptedUris", Json::array()))
        accounts.push_back(uri.get<std::string>());
    acme::PersistentRecord record;
    auto failure = validate_dns_persist01(options.validation, name, accounts, wide, record, context);
    return failure ? Outcome{std::move(failure)} : Outcome{std::nullopt, std::move(record)};
}

Service::Impl::Outcome Service::Impl::look_at(const Json& authz, const Json& challenge,
                                              base::Context& context)
{
    if (const auto verdict = faults.value("validation")) {
        if (*verdict == "valid") return {};
        return {ValidationFailure{*verdict, "the fault validation is on", *verdict == "dns" ? 400 : 403}};
    }
    const auto name = authz.at("name").get<std::string>();
    const auto type = challenge.at("type").get<std::string>();
    if (type == "dns-persist-01") return look_at_record(authz, context);
    const auto token = challenge.at("token").get<std::string>();
    const auto key_authorization = token + "." + authz.at("thumbprint").get<std::string>();
    if (acme::is_digest_record(type))
        return {validate_dns01(options.validation,
                               type == "dns-01"
                                   ? dns::validation_name(name)
                                   : acme::account_validation_name(
                                         url("/account/" + authz.at("account").get<std::string>()), name),
                               base::to_base64url(crypto::sha256(as_bytes(key_authorization))), context)};
    if (type == "tls-alpn-01")
        return {validate_tls_alpn01(options.validation, name, crypto::sha256(as_bytes(key_authorization)),
                                    context)};
    return {validate_http01(options.validation, name, token, key_authorization, context)};
}

Service::Impl::Outcome Service::Impl::look_at(const Validation& validation)
{
    base::Context context;
    for (const auto& challenge : validation.object.at("challenges"))
        if (challenge.at("type") == validation.type) return look_at(validation.object, challenge, context);
    return {ValidationFailure{"serverInternal", "the challenge has disappeared"}};
}

void Service::Impl::conclude(const Validation& validation, const Outcome& outcome)
{
    const auto run = [this, validation, outcome](store::Database&,
                                                 store::GroupCommit::After& after) -> Result<void> {
        ACMETOOL_TRY(current, records.get("authz", validation.authz));
        // Deactivated meanwhile: the client's word stands.
        if (current && (*current)["status"] == "pending") {
            auto& object = *current;
            auto expires = now() + options.authz_lifetime;
            if (outcome.record) {
                // Draft -02 section "Validation Record Format": nothing is reused after persistUntil.
                expires = std::min(expires, outcome.record->until.value_or(expires));
                object["accountUri"] = outcome.record->account_uri;
            }
            note_result(object, validation.type, outcome.failure, now(), expires);
            ACMETOOL_CHECK(records.put("authz", validation.authz, object.at("account").get<std::string>(),
                                       object.at("name").get<std::string>(), object));
            ACMETOOL_CHECK(records.keep());
        }
        after.push_back([this, validation, outcome] {
            keep_log({{"time", base::to_rfc3339(now())},
                      {"resource", "validation"},
                      {"type", validation.type},
                      {"identifiers", {validation.object.at("name")}},
                      {"result", outcome.failure ? "invalid" : "valid"}});
        });
        return {};
    };
    commits.post({run, nullptr}); // stored as soon as the database accepts it
}

Result<void> Service::Impl::resume()
{
    ACMETOOL_CHECK(records.each("authz", [&](const std::string& id, const Json& object) -> Result<void> {
        for (const auto& challenge : object.at("challenges"))
            if (object.at("status") == "pending" && challenge.at("status") == "processing")
                schedule({id, challenge.at("type").get<std::string>(), object});
        return {};
    }));
    return records.each("order", [&](const std::string& id, Json object) -> Result<void> {
        if (object.at("status") != "processing" || !object.contains("csr")) return {};
        const auto proofs = proofs_of(object);
        object["proofs"] = proofs ? *proofs : Json::array();
        schedule({id, "caa", std::move(object)});
        return {};
    });
}

} // namespace acmetool::ca
