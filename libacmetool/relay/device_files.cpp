#include "relay/device_files.h"

#include <utility>

#include "ra/inventory_records.h"
#include "ra/policy.h"
#include "store/configured.h"

namespace acmetool::relay
{

DeviceFiles read_device_files(const Config& config)
{
    DeviceFiles known;
    if (auto manufacturers = ra::read_manufacturers(config.ra.idevid))
        known.manufacturers = std::move(*manufacturers);
    const auto& file = config.ra.idevid.inventory;
    known.in_store = config.ra.idevid.inventory_in_store;
    if (file.empty()) return known;
    known.is_readable = false;
    if (const auto text = store::read_configured(file))
        if (auto parsed = ra::parse_inventory(*text, file, known.manufacturers)) {
            known.inventory = std::move(*parsed);
            known.is_readable = true;
        }
    return known;
}

Result<ra::Listed> DeviceFiles::listed(store::Database& database, std::string_view serial) const
{
    if (in_store) return ra::InventoryRecords{database}.listed(serial);
    return inventory.listed(serial);
}

} // namespace acmetool::relay
