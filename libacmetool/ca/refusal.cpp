#include "ca/refusal.h"

namespace acmetool::ca
{

tl::unexpected<Refusal> refuse(int status, std::string type, std::string detail)
{
    return tl::unexpected<Refusal>(Refusal{status, std::move(type), std::move(detail)});
}

tl::unexpected<Refusal> broken(const Error& error)
{
    // What cannot be written now may be written later (SEC-34). Clients do not learn names of files.
    auto refusal = error.code == Errc::io
                       ? refuse(503, "serverInternal", "the CA's database or files are not available")
                       : refuse(500, "serverInternal", "internal error");
    if (error.code == Errc::io) refusal.value().retry_after = "30";
    refusal.value().cause = error.message;
    return refusal;
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
