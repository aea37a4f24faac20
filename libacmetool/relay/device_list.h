#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "base/time.h"
#include "ra/device_records.h"
#include "relay/config.h"

/// The devices of a store: est-relay devices, teap-relay devices.
namespace acmetool::relay
{

/// What the list is made of, in the order in which lines of the same time follow each other.
enum class ListedBy { order, awaited_voucher, refused_voucher, refused_request, inventory };

/// Where a page ends: the next one goes on behind it.
struct Cursor {
    base::TimePoint since;
    ListedBy by = ListedBy::order;
    std::string id;
};
/// Words without blanks and quotes, which mean nothing to others.
std::string to_text(const Cursor& cursor);
/// Errors: usage.
Result<Cursor> parse_cursor(std::string_view text);

/// A line of the list.
struct DeviceLine {
    ListedBy by = ListedBy::order;
    std::string id;     ///< by which those of one kind and time are sorted
    std::string device; ///< its identifier
    std::string serial; ///< empty for users
    ra::Standing standing = ra::Standing::pending;
    base::TimePoint since; ///< of unseen ones: 1970
    std::string name;      ///< the first that it asked for
    std::string note;      ///< one sentence; may be empty
};

struct DeviceList {
    std::map<ra::Standing, std::uint64_t> counts; ///< by the newest order
    std::uint64_t awaiting_voucher = 0;
    std::uint64_t without_voucher = 0; ///< refused
    std::uint64_t refused = 0;         ///< their last request, before an order
    std::uint64_t unseen = 0;          ///< in the inventory only
    std::vector<DeviceLine> lines;     ///< newest first
    std::optional<Cursor> next;        ///< there are more, behind it
};

/// Which of them, and behind which; `behind` of the filter is not used.
struct DevicePage {
    ra::DeviceFilter filter;
    std::optional<Cursor> after;
    bool with_refused = false; ///< also those of which only events tell, which costs a look at all events
};

inline constexpr unsigned kMostListed = 1000;

/// Errors: as open_store().
ACMETOOL_EXPORT Result<DeviceList> list_devices(const Config& config, const DevicePage& page,
                                                base::TimePoint now);

/// The members of the document `devices`.
base::Json to_json(const DeviceList& list);
std::string to_text(const DeviceList& list);

} // namespace acmetool::relay
