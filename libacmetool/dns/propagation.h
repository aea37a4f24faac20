#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/context.h"
#include "base/result.h"
#include "dns/query.h"
#include "net/endpoint.h"

namespace acmetool::dns
{

struct PropagationOptions {
    Resolver discovery;                  ///< for queries of the zone, its name servers and their addresses
    std::optional<Resolver> fallback;    ///< for the addresses of name servers that `discovery` does not know
    std::optional<net::Endpoint> update; ///< a name server at this address is queried at this port
    std::vector<net::Endpoint> name_servers; ///< if not empty: use these without discovery
    base::Milliseconds wait{120'000};
};

/// The target of a validation name: the end of its CNAME chain, and the zone of that name.
struct Target {
    std::string name;
    std::string zone;
};
/// Follows at most eight CNAMEs from `name`. A target outside the zone of `name` must be in one of
/// `allowed_zones`. Errors: refused ("cnameOutsideAllowedZones", "cnameLoop"), those of find_zone().
ACMETOOL_EXPORT Result<Target> find_target(const Resolver& discovery, const std::string& name,
                                           const std::vector<std::string>& allowed_zones,
                                           base::Context& context);

/// Waits until every authoritative server of the zone answers with `value` at `target.name` (RFC 8555
/// section 8.2).
///
/// A name server answers if one of its addresses has the value and none has an older answer; one that is
/// silent does not count then, and one without a route from this host never. `context` gets a warning for
/// each name server that could not be asked at all. The error at the deadline contains the answer of each
/// server: unavailable, reason "notPropagated".
ACMETOOL_EXPORT Result<void> wait_until_visible(const Target& target, const std::string& value,
                                                const PropagationOptions& options, base::Context& context);

} // namespace acmetool::dns
