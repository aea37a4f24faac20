#pragma once

#include <string>

#include "base/result.h"

namespace acmetool::dns
{

struct LocalDomain {
    std::string name;   ///< A-labels, lower case
    std::string source; ///< for people: "DHCP option 15 (/run/systemd/netif/leases/2)"
};

/// The domain that this host was told to be in: DHCP option 15 (RFC 2132 section 3.17) from the leases of
/// systemd-networkd, NetworkManager and dhclient, else the first usable name of the resolver's search list.
///
/// Of several leases the newest file counts, in it the last lease. `root` goes before every path. Names that
/// are none are passed over. Errc::unavailable, reason "noLocalDomain", where nobody says.
ACMETOOL_EXPORT Result<LocalDomain> local_domain(const std::string& root = {});

} // namespace acmetool::dns
