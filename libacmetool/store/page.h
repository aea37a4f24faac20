#pragma once

#include <string>

#include "base/time.h"

namespace acmetool::store
{

/// Where a page of a list goes on that is sorted by time, newest first, and by identifier where the time is
/// the same.
struct Behind {
    base::TimePoint since; ///< with what is older,
    std::string id;        ///< and what is of that time and has a greater identifier; empty: none
};

} // namespace acmetool::store
