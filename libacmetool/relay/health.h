#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "base/time.h"
#include "relay/config.h"

/// Whether anything is wrong with a relay that runs: the first lines of est-relay status, and of the page of
/// the administration.
namespace acmetool::relay
{

struct Trouble {
    std::string text;
    std::string next; ///< what to do; may be empty
};

/// From the document `relay-status` and the certificate in [tls], the worst first. `program` is the one that
/// the sentences name. Empty: all is well.
ACMETOOL_EXPORT std::vector<Trouble> troubles_in(const base::Json& status, const Config& config,
                                                 const std::string& program, base::TimePoint now);

} // namespace acmetool::relay
