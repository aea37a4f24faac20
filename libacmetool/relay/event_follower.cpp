#include "relay/event_follower.h"

#include <algorithm>

namespace acmetool::relay
{
namespace
{

constexpr std::chrono::seconds kLate{30};

} // namespace

EventFollower::EventFollower(store::Database& database, ra::EventFilter filter, std::uint64_t page)
    : database_(database), filter_(std::move(filter))
{
    filter_.oldest_first = true;
    filter_.limit = page;
}

Result<void> EventFollower::begin(base::TimePoint now)
{
    auto newest = filter_;
    newest.oldest_first = false;
    newest.limit = 1;
    ACMETOOL_TRY(found, ra::EventRecords{database_}.list(newest));
    const auto last = found.empty() ? ra::EventTime{now} : found.front().at;
    filter_.since = std::max(filter_.since, last - kLate);
    return read([](const auto&) { return Result<void>{}; });
}

void EventFollower::told(const std::vector<ra::Event>& events)
{
    for (const auto& event : events)
        told_.emplace(event.at, event.number);
}

Result<void> EventFollower::look(base::TimePoint now, const Tell& tell)
{
    if (!told_.empty()) {
        // A relay whose clock is fast does not hide what the others tell.
        const auto newest = std::min(told_.rbegin()->first, ra::EventTime{now});
        filter_.since = std::max(filter_.since, newest - kLate);
        told_.erase(told_.begin(), told_.lower_bound({filter_.since, 0}));
    }
    return read(tell);
}

Result<void> EventFollower::read(const Tell& tell)
{
    auto page = filter_;
    for (;;) {
        ACMETOOL_TRY(events, ra::EventRecords{database_}.list(page));
        const bool is_last = events.size() < page.limit;
        if (!events.empty()) page.after = {events.back().at, events.back().number};
        std::erase_if(events,
                      [this](const auto& event) { return !told_.emplace(event.at, event.number).second; });
        if (!events.empty()) ACMETOOL_CHECK(tell(events));
        if (is_last) return {};
    }
}

} // namespace acmetool::relay
