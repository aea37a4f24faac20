#include "ca/refusal.h"

namespace acmetool::ca
{

tl::unexpected<Refusal> refuse(int status, std::string type, std::string detail)
{
    return tl::unexpected<Refusal>(Refusal{status, std::move(type), std::move(detail)});
}

tl::unexpected<Refusal> broken(const Error& error)
{
    return refuse(500, "serverInternal", error.message);
}

tl::unexpected<Refusal> overloaded()
{
    auto refusal = refuse(503, "serverInternal", "too many requests are waiting");
    refusal.value().retry_after = "5";
    return refusal;
}

base::Json problem_of(const Refusal& refusal)
{
    base::Json object{{"type", "urn:ietf:params:acme:error:" + refusal.type},
                      {"detail", refusal.detail},
                      {"status", refusal.status}};
    if (!refusal.subproblems.empty()) object["subproblems"] = refusal.subproblems;
    if (!refusal.instance.empty()) object["instance"] = refusal.instance;
    if (refusal.lists_algorithms) object["algorithms"] = {"ES256", "ES384", "ES512", "EdDSA", "RS256"};
    return object;
}

} // namespace acmetool::ca
