#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace acmetool::net
{

/// Where a server listens.
struct ACMETOOL_EXPORT Endpoint {
    std::string host; ///< name or address literal, without brackets
    std::uint16_t port = 53;

    std::string text() const; ///< "127.0.0.1:53", "[::1]:53"
    auto operator<=>(const Endpoint&) const = default;
};
/// "HOST", "HOST:PORT", "[V6]:PORT", or a bare IPv6 address or "[V6]". Errc::usage.
ACMETOOL_EXPORT Result<Endpoint> parse_endpoint(std::string_view text, std::uint16_t port_if_absent = 53);
/// Where to listen, "HOST:PORT"; port 0 is any free one. Errc::usage.
ACMETOOL_EXPORT Result<Endpoint> parse_listen(std::string_view text, std::uint16_t port_if_absent = 53);

} // namespace acmetool::net
