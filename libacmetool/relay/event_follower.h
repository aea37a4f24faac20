#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "ra/event_records.h"
#include "store/database.h"

namespace acmetool::relay
{

/// Tells of each event once, as soon as it is in the store. Events of several relays become visible in
/// another order than that of their times: an event may come 30 seconds late.
class ACMETOOL_EXPORT EventFollower
{
public:
    using Tell = std::function<Result<void>(const std::vector<ra::Event>&)>;

    /// `database` is not owned. `page`: how many are read at once.
    EventFollower(store::Database& database, ra::EventFilter filter, std::uint64_t page = 10'000);
    /// What is there already is not told.
    Result<void> begin(base::TimePoint now);
    /// These are not told either.
    void told(const std::vector<ra::Event>& events);
    /// Tells what came since the last look, the oldest first, a page at a time. Errors: io, or those of
    /// `tell`.
    Result<void> look(base::TimePoint now, const Tell& tell);

private:
    using Key = std::pair<ra::EventTime, std::int64_t>;
    Result<void> read(const Tell& tell);

    store::Database& database_;
    ra::EventFilter filter_;
    std::set<Key> told_; ///< those that another look finds again
};

} // namespace acmetool::relay
