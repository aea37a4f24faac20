#pragma once

#include "acmetool/export.h"

struct sockaddr;

namespace acmetool::net
{

/// True for addresses of the open Internet: neither loopback, link-local, private, multicast nor otherwise
/// special (RFC 6890). What is neither IPv4 nor IPv6 is not.
ACMETOOL_EXPORT bool is_public_address(const sockaddr& address);

} // namespace acmetool::net
