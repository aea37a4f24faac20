#pragma once

#include "relay/config_section.h"

namespace acmetool::relay
{

/// [teap], [[client]] and [[accept]]; without TEAP in `config` they are errors.
void read_teap(const toml::table& root, Reading& reading, Config& config);

} // namespace acmetool::relay
