#pragma once

#include "relay/config_section.h"

namespace acmetool::relay
{

/// Refuses an address of [listen] admin that other hosts can reach.
void refuse_open_admin(Section& listen, const net::Endpoint& admin);
/// [admin]. After [tls].
void read_admin(Section section, Config& config);

} // namespace acmetool::relay
