#pragma once

#include "relay/config_section.h"

namespace acmetool::relay
{

/// [events]
void read_events(Section section, Config& config);

} // namespace acmetool::relay
