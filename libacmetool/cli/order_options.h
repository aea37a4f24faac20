#pragma once

#include <optional>
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
    std::string not_before; ///< RFC 3339, or a duration from now; empty: the CA's choice
    std::string not_after;  ///< likewise
    std::string chain;      ///< acme::parse_chain_choice
};
/// --ancestor-domain, --profile, --not-before, --not-after.
ACMETOOL_EXPORT void add_order(Verb& verb, OrderOptions& options);
/// --preferred-chain, of verbs that download.
ACMETOOL_EXPORT void add_chain(Verb& verb, OrderOptions& options);

/// The value of an option that takes RFC 3339 or a duration from now; nothing where it is empty. Errc::usage.
ACMETOOL_EXPORT Result<std::optional<base::TimePoint>> parse_moment(const std::string& text,
                                                                    const char* option, base::TimePoint now);

/// The order that answers `csr`. Errors: bad_input (no SAN, a name that is not in the form of certificates),
/// usage (times).
ACMETOOL_EXPORT Result<acme::OrderTask> order_task(crypto::Csr csr, const OrderOptions& options,
                                                   base::TimePoint now);

} // namespace acmetool::cli
