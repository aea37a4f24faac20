#pragma once

#include <memory>
#include <string>
#include <vector>

#include "acme/client.h"
#include "acme/preauth.h"
#include "acme/solver.h"
#include "base/context.h"
#include "base/result.h"

namespace acmetool::ra
{

/// What a pending order waits for.
struct OrderedProof {
    std::vector<crypto::Identifier> identifiers; ///< the order's; what the CA names is compared with them
    std::vector<std::string> authorizations;     ///< URLs
};

/// Proves to the CA that a domain is ours. Its calls wait for the CA and for DNS; they end soon once
/// `context` is interrupted, after what was published is removed. One call at a time.
class DomainProver
{
public:
    virtual ~DomainProver() = default;
    /// Obtains the pre-authorization of the domain, subdomains included. Errors: see acme::preauthorize().
    virtual Result<acme::PreAuthorization> obtain(base::Context& context) = 0;
    /// Makes the authorizations of an order valid, in their order.
    virtual Result<void> fulfil(const OrderedProof& proof, base::Context& context) = 0;
};

/// With the blocking client, opened for each call, and `solver`.
std::unique_ptr<DomainProver> make_domain_prover(std::string domain, acme::ClientOptions client,
                                                 std::unique_ptr<acme::Solver> solver);

} // namespace acmetool::ra
