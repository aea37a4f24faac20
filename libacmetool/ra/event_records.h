#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/context.h"
#include "base/result.h"
#include "base/time.h"
#include "store/database.h"
#include "store/page.h"

namespace acmetool::ra
{

/// Of one run of a relay, no two events have the same.
using EventTime = std::chrono::sys_time<std::chrono::microseconds>;

/// RFC 3339 in UTC with milliseconds, "2026-11-23T18:58:45.123Z".
std::string to_rfc3339(EventTime time);

/// Something that happened, as the store keeps it: an event of the log. Text is printable.
struct Event {
    EventTime at;
    std::int64_t number = 0; ///< of the run that tells it; with `at`: the key
    base::Level level = base::Level::info;
    std::string what;     ///< "decision", "order", "teap" ..., as in the log
    std::string outcome;  ///< "issued", "pending", "refused", "failed", "accept" ...; may be empty
    std::string cause;    ///< a word for why; may be empty
    std::string text;     ///< why, a sentence; may be empty
    std::string hint;     ///< what to do; may be empty
    std::string protocol; ///< "est", "teap", "radius", "brski", "acme"; may be empty
    std::string device;   ///< its identifier; empty: nobody that is known
    /// The serial number of the device; the identifier of a device without one; what somebody who is not
    /// known claims to be. May be empty.
    std::string who;
    std::string request_id;
    std::string address; ///< of the peer
    std::string station; ///< MAC address of the peer: twelve hexadecimal digits, lower case
    std::string relay;   ///< the instance that tells it; empty if the store is one process's
    std::uint64_t times = 1;
    std::string details; ///< a JSON object: what else the log's event has
};

struct EventFilter {
    std::string who;    ///< with what happened to its requests elsewhere
    std::string device; ///< with `who`: of this device, or of somebody who is not known; empty: of all
    std::string request_id;
    std::string station;
    EventTime since{EventTime::duration::zero()};
    /// Older than this event: the last of the page before.
    struct Place {
        EventTime at;
        std::int64_t number = 0;
    };
    std::optional<Place> before;
    std::optional<Place> after; ///< younger than this event: the last of the page before, the oldest first
    base::Level least = base::Level::info; ///< the least severe
    std::uint64_t limit = 100;
    bool oldest_first = false;
};

/// Events with one cause.
struct EventCount {
    std::string what;
    std::string outcome;
    std::string cause;
    std::uint64_t times = 0;
    EventTime last;
};

/// A device, or somebody who claims to be it, whose last request was refused and came to no order.
struct RefusedDevice {
    std::string who;
    std::string device; ///< as in Event
    std::string cause;
    std::string text;
    EventTime at;
    std::string id() const { return who + " " + device; } ///< different for different ones
};

/// The events in the store of a registration authority. Like Records a view of the database; the only file
/// with SQL of its table, which is in record_tables.cpp. All errors are io.
class ACMETOOL_EXPORT EventRecords
{
public:
    explicit EventRecords(store::Database& database) : database_(&database) {}

    Result<void> put(const Event& event);
    /// By its time, the newest first; at most `limit`.
    Result<std::vector<Event>> list(const EventFilter& filter);
    /// Warnings and errors since then, the most frequent first; at most `limit`.
    Result<std::vector<EventCount>> causes(EventTime since, unsigned limit = 20);
    /// The identifiers of the devices with this Event::who, or that a NAS saw with this MAC address
    /// (Event::station), the newest first; at most 20.
    Result<std::vector<std::string>> devices_of(std::string_view who);
    Result<std::vector<std::string>> devices_at(std::string_view station);
    /// The newest first, those of one second by id(). Reads through the table.
    Result<std::vector<RefusedDevice>>
    refused(base::TimePoint since, const std::optional<store::Behind>& behind, std::uint64_t limit);
    Result<std::uint64_t> count_refused(base::TimePoint since);
    /// Each Event::who.
    Result<std::set<std::string>> known();
    /// Removes at most 500 that are older. False if there are more.
    Result<bool> purge(EventTime before);

private:
    Result<std::vector<std::string>> devices_by(std::string_view column, std::string_view value);

    store::Database* database_;
};

} // namespace acmetool::ra
