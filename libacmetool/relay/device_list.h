#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "base/time.h"
#include "ra/device_records.h"
#include "relay/config.h"

/// The devices of a store: est-relay devices, teap-relay devices.
namespace acmetool::relay
{

/// A line of the list.
struct DeviceLine {
    std::string device; ///< its identifier
    std::string serial; ///< empty for users
    ra::Standing standing = ra::Standing::pending;
    base::TimePoint since;
    std::string name; ///< the first that it asked for
    std::string note; ///< one sentence; may be empty
};

struct DeviceList {
    std::map<ra::Standing, std::uint64_t> counts; ///< by the newest order
    std::uint64_t awaiting_voucher = 0;
    std::uint64_t without_voucher = 0; ///< refused
    std::vector<DeviceLine> lines;     ///< newest first
    bool is_cut = false;               ///< there are more
};

inline constexpr unsigned kMostListed = 1000;

/// Errors: as open_store().
ACMETOOL_EXPORT Result<DeviceList> list_devices(const Config& config, const ra::DeviceFilter& filter,
                                                base::TimePoint now);

/// The members of the document `devices`.
base::Json to_json(const DeviceList& list);
std::string to_text(const DeviceList& list);

} // namespace acmetool::relay
