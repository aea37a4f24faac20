#pragma once

#include "relay/config_section.h"

namespace acmetool::relay
{

/// [brski] and each [[manufacturer]].
void read_brski(const toml::table& root, Reading& reading, Config& config);

/// Refuses serial_from if it has a field that no certificate has.
void refuse_unknown_fields(Section& section, const std::vector<std::string>& fields);

} // namespace acmetool::relay
