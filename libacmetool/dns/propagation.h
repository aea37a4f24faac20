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
    net::Endpoint discovery;                 ///< whom to ask for zone, name servers and their addresses
    std::optional<net::Endpoint> update;     ///< a name server at this very address is asked at this port
    std::vector<net::Endpoint> name_servers; ///< if not empty: these, and no discovery
    base::Milliseconds wait{120'000};
};

/// Where a validation name leads: the end of its CNAME chain, and the zone that holds it.
struct Target {
    std::string name;
    std::string zone;
};
/// Follows CNAMEs from `name`, at most eight. A target outside the zone of `name` has to lie in one of
/// `allowed_zones`. Errors: refused ("cnameOutsideAllowedZones", "cnameLoop"), those of find_zone().
ACMETOOL_EXPORT Result<Target> find_target(const net::Endpoint& discovery, const std::string& name,
                                           const std::vector<std::string>& allowed_zones,
                                           base::Context& context);

/// Waits until every authoritative server of the zone answers with `value` at `target.name` (RFC 8555
/// section 8.2). The error at the deadline says what each server answered: unavailable, reason
/// "notPropagated".
ACMETOOL_EXPORT Result<void> wait_until_visible(const Target& target, const std::string& value,
                                                const PropagationOptions& options, base::Context& context);

} // namespace acmetool::dns
