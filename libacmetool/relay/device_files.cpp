#include "relay/device_files.h"

#include <utility>

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
    if (file.empty()) return known;
    known.is_readable = false;
    if (const auto text = store::read_configured(file))
        if (auto parsed = ra::parse_inventory(*text, file, known.manufacturers)) {
            known.inventory = std::move(*parsed);
            known.is_readable = true;
        }
    return known;
}

} // namespace acmetool::relay
