#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/time.h"

/// Whether anything is wrong with a relay that runs: the first lines of est-relay status, and of the page of
/// the administration. Both say the same, since only this judges.
namespace acmetool::relay
{

/// What ends within this time is told: by `check`, by `status`, by the alert rules.
inline constexpr std::chrono::hours kEndsSoon{24 * 14};

struct Trouble {
    std::string text;
    std::string next; ///< what to do; may be empty
};

/// From the document `relay-status`, the worst first. `program` is the one that the sentences name. Empty:
/// all is well.
ACMETOOL_EXPORT std::vector<Trouble> troubles_in(const base::Json& status, const std::string& program,
                                                 base::TimePoint now);

} // namespace acmetool::relay
