#include "relay/known_devices.h"

#include <algorithm>

#include "enrol/identity.h"
#include "ra/records.h"
#include "registrar/records.h"
#include "relay/device_files.h"

namespace acmetool::relay
{
namespace
{

/// The serial number in "SERIAL@WHOSE"; else all of it, which may be one.
std::string serial_of(const std::string& device)
{
    const auto parts = enrol::parse_qualified_serial(device);
    return parts ? parts->serial : device;
}

bool lists(const ra::Inventory& inventory, const std::string& serial)
{
    return std::any_of(inventory.entries().begin(), inventory.entries().end(),
                       [&](const auto& entry) { return serial_of(entry.first) == serial; });
}

} // namespace

Result<std::vector<std::string>> unknown_devices(const Config& config,
                                                 const std::vector<std::string>& devices)
{
    const auto inventory = read_device_files(config).inventory;
    ACMETOOL_TRY(database, ra::Records::open(config.ra.store));
    ra::Records records{*database};
    registrar::Records vouchers{*database};
    const bool brski = !config.brski.manufacturers.empty();
    if (brski) ACMETOOL_CHECK(vouchers.create());
    std::vector<std::string> unknown;
    for (const auto& device : devices) {
        const auto serial = serial_of(device);
        if (lists(inventory, serial)) continue;
        ACMETOOL_TRY(seen, records.has_device(device, serial));
        if (seen) continue;
        if (brski) {
            ACMETOOL_TRY(asked, vouchers.has_serial(serial));
            if (asked) continue;
        }
        unknown.push_back(device);
    }
    return unknown;
}

} // namespace acmetool::relay
