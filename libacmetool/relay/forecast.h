#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "base/time.h"
#include "ra/records.h"
#include "relay/config.h"

/// What will happen: est-relay forecast, teap-relay forecast.
namespace acmetool::relay
{

/// Something that ends.
struct Ending {
    std::string what; ///< "authorization of iot.domain.com"
    base::TimePoint at;
    std::string next; ///< what happens or is to be done before; may be empty
};

struct Forecast {
    base::TimePoint from; ///< the beginning of today, UTC
    unsigned days = 0;
    std::uint64_t overdue = 0;           ///< devices that should have renewed before now
    std::vector<std::uint64_t> renewals; ///< by day, as many as `days`
    std::vector<Ending> endings;         ///< the next first
    ra::LimitOptions limits;
    ra::SpentCounts spent; ///< in the window of the limits
    std::vector<std::string> warnings;
};

inline constexpr unsigned kMostDays = 400;

/// Errors: as open_store().
ACMETOOL_EXPORT Result<Forecast> forecast(const Config& config, unsigned days, base::TimePoint now);

/// The members of the document `forecast`.
base::Json to_json(const Forecast& forecast);
std::string to_text(const Forecast& forecast);

} // namespace acmetool::relay
