#pragma once

#include <string>
#include <vector>

#include "acme/issue.h"
#include "cli/program.h"

/// What the verbs of acme-order that begin an order have in common.
namespace acmetool::cli
{

struct OrderOptions {
    std::vector<std::string> ancestor_domains;
    std::string profile;
};
ACMETOOL_EXPORT void add_order(Verb& verb, OrderOptions& options);

/// The order that answers `csr`. Errors: bad_input (no SAN, a name that is not in the form of certificates).
ACMETOOL_EXPORT Result<acme::OrderTask> order_task(crypto::Csr csr, const OrderOptions& options);

} // namespace acmetool::cli
