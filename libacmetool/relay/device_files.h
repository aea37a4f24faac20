#pragma once

#include <string_view>

#include "base/result.h"
#include "enrol/identity.h"
#include "ra/inventory.h"
#include "relay/config.h"
#include "store/database.h"

namespace acmetool::relay
{

/// What the files of a configuration say of who a device is.
struct DeviceFiles {
    enrol::Manufacturers manufacturers;
    ra::Inventory inventory;
    bool in_store = false;   ///< the inventory is there
    bool is_readable = true; ///< the inventory was read, or there is none

    /// What the inventory has of a serial number; `database` is the store.
    Result<ra::Listed> listed(store::Database& database, std::string_view serial) const;
};

/// Whoever runs a command may not read them: what they say is left out.
DeviceFiles read_device_files(const Config& config);

} // namespace acmetool::relay
