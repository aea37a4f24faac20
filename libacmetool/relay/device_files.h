#pragma once

#include "enrol/identity.h"
#include "ra/inventory.h"
#include "relay/config.h"

namespace acmetool::relay
{

/// What the files of a configuration say of who a device is.
struct DeviceFiles {
    enrol::Manufacturers manufacturers;
    ra::Inventory inventory;
    bool is_readable = true; ///< the inventory was read, or there is none
};

/// Whoever runs a command may not read them: what they say is left out.
DeviceFiles read_device_files(const Config& config);

} // namespace acmetool::relay
