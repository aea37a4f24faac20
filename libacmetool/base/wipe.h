#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "acmetool/export.h"

namespace acmetool::base
{

/// Overwrites secret octets with zeros, even if nothing reads them afterwards. The size stays.
ACMETOOL_EXPORT void wipe(std::span<std::uint8_t> octets) noexcept;
ACMETOOL_EXPORT void wipe(std::string& text) noexcept;

} // namespace acmetool::base
