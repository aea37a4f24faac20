#include "relay/known_devices.h"

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

/// An "@" may be in the serial number itself.
Result<bool> lists(const DeviceFiles& known, store::Database& database, const std::string& device)
{
    for (const auto& serial : {serial_of(device), device}) {
        ACMETOOL_TRY(listed, known.listed(database, serial));
        if (listed.any()) return true;
    }
    return false;
}

} // namespace

Result<std::vector<std::string>> unknown_devices(const Config& config,
                                                 const std::vector<std::string>& devices)
{
    const auto known = read_device_files(config);
    ACMETOOL_TRY(database, ra::Records::open(config.ra.store));
    ra::Records records{*database};
    registrar::Records vouchers{*database};
    const bool brski = !config.brski.manufacturers.empty();
    if (brski) ACMETOOL_CHECK(vouchers.create());
    std::vector<std::string> unknown;
    for (const auto& device : devices) {
        const auto serial = serial_of(device);
        ACMETOOL_TRY(listed, lists(known, *database, device));
        if (listed) continue;
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
