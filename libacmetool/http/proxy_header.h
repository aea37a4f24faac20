#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

/// The header by which a TCP load balancer tells whose connection it forwards (HAProxy's "The PROXY
/// protocol", versions 1 and 2). No sockets in it.
namespace acmetool::http
{

/// A longer header, with all its TLVs, is refused.
constexpr std::size_t kLongestProxyHeader = 4096;

/// What is known after the first octets of a connection.
struct ProxyHeader {
    std::size_t more = 0; ///< so many further octets are the header's for sure; 0: that was all of it
    std::string address;  ///< of the client, as inet_ntop(3) writes it, mapped IPv4 as IPv4; empty where the
                          ///< proxy speaks for itself (LOCAL, UNKNOWN, AF_UNSPEC)
    std::uint16_t port = 0;
};

/// Looks at all octets that came so far; ask for `more`, append them and call again. Who does so never reads
/// an octet of what follows the header.
///
/// Errors: protocol, reason "proxyHeader": no PROXY header, one that is malformed or too long, or one of
/// something else than TCP over IP.
ACMETOOL_EXPORT Result<ProxyHeader> parse_proxy_header(ByteView octets);

} // namespace acmetool::http
