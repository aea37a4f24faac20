#include "ca/service_impl.h"

#include <algorithm>

#include <fmt/core.h>

#include "acme/caa.h"
#include "base/base64url.h"
#include "dns/name.h"

namespace acmetool::ca
{
namespace
{

/// The challenge type that proved `name`; empty: none is known.
std::string proof_of(const Json& proofs, const std::string& name)
{
    for (const auto& proof : proofs) {
        const auto proved = proof.at("name").get<std::string>();
        if (dns::same_name(proved, name) || dns::is_subdomain_of(name, proved))
            return proof.at("type").get<std::string>();
    }
    return {};
}

} // namespace

Answer<Json> Service::Impl::proofs_of(const Json& order)
{
    Json proofs = Json::array();
    for (const auto& id : order.at("authorizations")) {
        CA_TRY(authorization, owned("authz", id.get<std::string>(), order.at("account").get<std::string>()));
        for (const auto& challenge : authorization["challenges"])
            if (challenge["status"] == "valid")
                proofs.push_back({{"name", authorization["name"]}, {"type", challenge["type"]}});
    }
    return proofs;
}

Answer<void> Service::Impl::check_caa_first(const std::string& id, Json& order, const crypto::Csr& csr)
{
    CA_TRY(proofs, proofs_of(order));
    order["csr"] = base::to_base64url(csr.der);
    order["status"] = "processing";
    Json asked = order;
    asked["proofs"] = std::move(proofs);
    asked_for.push_back({id, "caa", std::move(asked)});
    return {};
}

/// RFC 8659 section 3, with accounturi and validationmethods (RFC 8657).
Service::Impl::Outcome Service::Impl::look_at_caa(const Json& order)
{
    base::Context context;
    Outcome outcome;
    const auto refuse_name = [&](const Json& identifier, ValidationFailure failure) {
        Json problem = problem_of({failure.status, failure.type, failure.detail});
        problem["identifier"] = identifier;
        outcome.subproblems.push_back(std::move(problem));
        if (!outcome.failure) outcome.failure = std::move(failure);
    };
    for (const auto& identifier : order.at("identifiers")) {
        if (identifier.at("type") != "dns") continue;
        auto name = identifier.at("value").get<std::string>();
        acme::CaaRequest request;
        request.issuers = options.validation.issuer_domains;
        request.account_uri = url("/account/" + order.at("account").get<std::string>());
        request.wildcard = name.starts_with("*.");
        if (request.wildcard) name.erase(0, 2);
        if (auto method = proof_of(order.at("proofs"), name); !method.empty())
            request.methods = {std::move(method)};
        const auto set = acme::find_caa(options.validation.resolver, name, context);
        if (!set) {
            refuse_name(identifier, {"dns", fmt::format("{}: {}", name, set.error().message), 400});
        } else if (const auto objection = acme::caa_objection(set->records, request)) {
            refuse_name(
                identifier,
                {"caa", fmt::format("{}: the CAA records at {}: {}", name, set->name, *objection), 403});
        }
    }
    return outcome;
}

void Service::Impl::conclude_caa(const Validation& validation, const Outcome& outcome)
{
    const auto run = [this, validation, outcome](store::Database&,
                                                 store::GroupCommit::After& after) -> Result<void> {
        ACMETOOL_TRY(current, records.get("order", validation.authz));
        if (!current || (*current)["status"] != "processing") return {};
        auto& order = *current;
        const auto der = base::parse_base64url(order.value("csr", ""));
        order.erase("csr");
        std::optional<Refusal> refusal;
        if (outcome.failure) {
            refusal = Refusal{outcome.failure->status, outcome.failure->type, outcome.failure->detail};
            if (outcome.subproblems.size() > 1) refusal->type = "compound";
            for (const auto& problem : outcome.subproblems)
                refusal->subproblems.push_back(problem);
        } else if (const auto csr =
                       der ? crypto::parse_csr(as_text(*der)) : Result<crypto::Csr>{fail(der.error())};
                   !csr) {
            refusal = Refusal{500, "serverInternal", csr.error().message};
        } else if (const auto certificate = issue(order.at("account").get<std::string>(), *csr, order);
                   !certificate) {
            refusal = certificate.error();
        } else {
            order["certificate"] = *certificate;
        }
        order["status"] = refusal ? "invalid" : "valid";
        if (refusal) order["error"] = problem_of(*refusal);
        ACMETOOL_CHECK(
            records.put("order", validation.authz, order.at("account").get<std::string>(), "", order));
        ACMETOOL_CHECK(records.keep());
        after.push_back([this, validation, is_good = !refusal] {
            keep_log({{"time", base::to_rfc3339(now())},
                      {"resource", "caa"},
                      {"identifiers", validation.object.at("identifiers")},
                      {"result", is_good ? "valid" : "invalid"}});
        });
        return {};
    };
    commits.post({run, nullptr}); // stored as soon as the database accepts it
}

} // namespace acmetool::ca
