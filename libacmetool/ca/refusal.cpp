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

base::Json problem_of(const Refusal& refusal)
{
    base::Json object{{"type", "urn:ietf:params:acme:error:" + refusal.type},
                      {"detail", refusal.detail},
                      {"status", refusal.status}};
    if (!refusal.subproblems.empty()) object["subproblems"] = refusal.subproblems;
    if (!refusal.instance.empty()) object["instance"] = refusal.instance;
    // RFC 8555 section 6.2: "The problem document ... MUST include an "algorithms" field".
    if (refusal.type == "badSignatureAlgorithm")
        object["algorithms"] = {"ES256", "ES384", "ES512", "EdDSA", "RS256"};
    return object;
}

} // namespace acmetool::ca
