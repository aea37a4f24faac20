#pragma once

#include <string>
#include <vector>

#include "acme/order_task.h"
#include "cli/program.h"

/// Options common to the verbs of acme-order that create an order.
namespace acmetool::cli
{

struct OrderOptions {
    std::vector<std::string> ancestor_domains;
    std::string profile;
    std::string not_before; ///< RFC 3339, or a duration from now; empty: the CA's choice
    std::string not_after;  ///< like not_before
    std::string chain;      ///< acme::parse_chain_choice
};
/// --ancestor-domain, --profile, --not-before, --not-after.
void add_order(Verb& verb, OrderOptions& options);
/// --preferred-chain, of verbs that download.
void add_chain(Verb& verb, OrderOptions& options);

/// The order for `csr`. Errors: bad_input (no SAN, or a name not in certificate form), usage (times).
Result<acme::OrderTask> order_task(crypto::Csr csr, const OrderOptions& options, base::TimePoint now);

} // namespace acmetool::cli
