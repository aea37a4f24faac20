#pragma once

#include <string>

#include "acmetool/export.h"

struct sockaddr;

/// The one table of addresses to which a name that others control must not lead us (SEC-06): for the relay's
/// requests to a MASA and for acme-ca's validations.
namespace acmetool::net
{

/// True for addresses of the open Internet: neither loopback, link-local, private, multicast nor otherwise
/// special (RFC 6890). Addresses of transition mechanisms that lead elsewhere are not public: 6to4 with its
/// relays, and Teredo. An IPv4 address that is mapped into IPv6 or embedded for NAT64 (64:ff9b::/96) is
/// judged as itself. What is neither IPv4 nor IPv6 is not.
ACMETOOL_EXPORT bool is_public_address(const sockaddr& address);
/// The same for an address literal, without scope.
ACMETOOL_EXPORT bool is_public_address(const std::string& literal);

/// True if an address literal, without scope, can be that of another host: neither unspecified, loopback,
/// multicast nor reserved, also where an IPv4 address is embedded. Link-local and private ones can.
ACMETOOL_EXPORT bool can_be_another_host(const std::string& literal);

/// True for an IPv6 literal of fe80::/10, which means something on one link only.
ACMETOOL_EXPORT bool is_link_local_v6(const std::string& literal);

} // namespace acmetool::net
