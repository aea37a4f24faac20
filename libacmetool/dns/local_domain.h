#pragma once

#include <string>

#include "base/result.h"

namespace acmetool::dns
{

struct LocalDomain {
    std::string name;   ///< A-labels, lower case
    std::string source; ///< for people: "DHCP option 15 (/run/systemd/netif/leases/2)"
};

/// The domain of this host: from DHCP option 15 (RFC 2132 section 3.17) from the leases of systemd-networkd,
/// NetworkManager and dhclient, else the first usable name of the resolver's search list.
///
/// If there are several leases, the last one in the newest file is used. `root` is prefixed to every path.
/// Invalid names are skipped. Errc::unavailable, reason "noLocalDomain", if no source has a domain.
ACMETOOL_EXPORT Result<LocalDomain> local_domain(const std::string& root = {});

} // namespace acmetool::dns
