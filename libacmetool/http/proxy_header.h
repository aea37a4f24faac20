#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

/// The header with which a TCP load balancer gives the address of the client (HAProxy's "The PROXY protocol",
/// versions 1 and 2). Independent of sockets.
namespace acmetool::http
{

/// Longer headers, including TLVs, are refused.
constexpr std::size_t kLongestProxyHeader = 4096;

/// The result after the first octets of a connection.
struct ProxyHeader {
    std::size_t more = 0; ///< number of further octets that certainly belong to the header; 0: it is complete
    std::string address;  ///< of the client, as inet_ntop(3) writes it, mapped IPv4 as IPv4; empty if the
                          ///< connection is the proxy's (LOCAL, UNKNOWN, AF_UNSPEC)
    std::uint16_t port = 0;
};

/// Parses all octets received so far. Read `more` octets, append them and call again; this never reads an
/// octet after the header.
///
/// Errors: protocol, reason "proxyHeader": no PROXY header, or one that is malformed, too long, or not for
/// TCP over IP.
ACMETOOL_EXPORT Result<ProxyHeader> parse_proxy_header(ByteView octets);

} // namespace acmetool::http
