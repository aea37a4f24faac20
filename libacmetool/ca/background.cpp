#include "ca/service_impl.h"

#include <fmt/core.h>

#include "base/base64url.h"
#include "crypto/digest.h"
#include "dns/name.h"

namespace acmetool::ca
{

void Service::Impl::enqueue(Job job)
{
    job.not_before = std::chrono::steady_clock::now() + std::chrono::seconds{faults.number("challengeDelay")};
    const std::scoped_lock lock{jobs_mutex};
    jobs.push_back(std::move(job));
    jobs_wake.notify_all(); // one that naps before a delayed job would swallow the only call
}

void Service::Impl::work(const std::stop_token& stop)
{
    for (;;) {
        Job job;
        {
            std::unique_lock lock{jobs_mutex};
            if (!jobs_wake.wait(lock, stop, [&] { return !jobs.empty(); })) return;
            job = jobs.front();
            jobs.pop_front();
            if (job.not_before > std::chrono::steady_clock::now()) {
                jobs.push_back(job);
                jobs_wake.wait_for(lock, stop, std::chrono::milliseconds{50}, [] { return false; });
                continue;
            }
        }
        validate(job);
    }
}

std::optional<ValidationFailure> Service::Impl::look_at(const Json& authz, const Json& challenge,
                                                        base::Context& context)
{
    if (const auto verdict = faults.value("validation")) {
        if (*verdict == "valid") return std::nullopt;
        return ValidationFailure{*verdict, "the fault validation is on"};
    }
    const auto name = authz.at("name").get<std::string>();
    const auto type = challenge.at("type").get<std::string>();
    if (type == "dns-persist-01") {
        const bool wide =
            base::bool_member(authz, "wildcard", false) || base::bool_member(authz, "subdomains", false);
        return validate_dns_persist01(options.validation, name,
                                      url("/account/" + authz.at("account").get<std::string>()), wide,
                                      context);
    }
    const auto token = challenge.at("token").get<std::string>();
    const auto key_authorization = token + "." + authz.at("thumbprint").get<std::string>();
    if (type == "dns-01")
        return validate_dns01(options.validation, dns::validation_name(name),
                              base::to_base64url(crypto::sha256(as_bytes(key_authorization))), context);
    if (type == "tls-alpn-01")
        return validate_tls_alpn01(options.validation, name, crypto::sha256(as_bytes(key_authorization)),
                                   context);
    return validate_http01(options.validation, name, token, key_authorization, context);
}

void Service::Impl::validate(const Job& job)
{
    base::Context context;
    std::optional<Json> object;
    {
        const std::scoped_lock lock{mutex};
        auto stored = records.get("authz", job.authz);
        if (!stored || !*stored) return;
        object = std::move(**stored);
    }
    const auto name = object->at("name").get<std::string>();
    for (auto& challenge : object->at("challenges")) {
        if (challenge.at("type") != job.type) continue;
        const auto failure = look_at(*object, challenge, context);
        const auto status = failure ? "invalid" : "valid";
        challenge["status"] = status;
        if (failure)
            challenge["error"] =
                problem_of({failure->type == "dns" ? 400 : 403, failure->type, failure->detail});
        else
            challenge["validated"] = base::to_rfc3339(now());
        (*object)["status"] = status;
        if (!failure) (*object)["expires"] = base::to_rfc3339(now() + options.authz_lifetime);
    }
    auto lock = enter();
    keep_log({{"time", base::to_rfc3339(now())},
              {"resource", "validation"},
              {"type", job.type},
              {"identifiers", {name}},
              {"result", (*object)["status"]}});
    // Deactivated meanwhile: the client's word stands.
    const auto current = records.get("authz", job.authz);
    if (current && *current && (**current)["status"] == "pending") {
        const auto stored =
            records.put("authz", job.authz, object->at("account").get<std::string>(), name, *object);
        static_cast<void>(stored ? records.keep() : records.discard());
    }
    static_cast<void>(make_durable(lock));
}

Result<void> Service::Impl::resume()
{
    ACMETOOL_TRY(all, records.find("authz", "", ""));
    for (const auto& [id, object] : all)
        for (const auto& challenge : object.at("challenges"))
            if (object.at("status") == "pending" && challenge.at("status") == "processing")
                enqueue({id, challenge.at("type").get<std::string>(), {}});
    return {};
}

} // namespace acmetool::ca
