#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "relay/config.h"

namespace acmetool::relay
{

/// Those of `devices`, identifiers or serial numbers as for ra::block_in(), that neither the inventory lists
/// nor the store knows from an order, a certificate or a voucher-request. An inventory that cannot be read
/// lists none. Errors: of the store.
ACMETOOL_EXPORT Result<std::vector<std::string>> unknown_devices(const Config& config,
                                                                 const std::vector<std::string>& devices);

} // namespace acmetool::relay
