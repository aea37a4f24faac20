#pragma once

#include "relay/config_section.h"

namespace acmetool::relay
{

/// [brski] and each [[manufacturer]].
void read_brski(const toml::table& root, Reading& reading, Config& config);

} // namespace acmetool::relay
