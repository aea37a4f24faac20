#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace acmetool::http
{

/// The parts of an https URL (RFC 3986, RFC 9110 section 4.2.2).
struct Url {
    /// Lower case; an IPv6 address without its brackets, a link-local one with its zone (RFC 6874):
    /// "fe80::1%eth0".
    std::string host;
    std::uint16_t port = 443; ///< never 0
    std::string target = "/"; ///< path and query unchanged, without fragment; begins with '/'

    std::string authority() const;  ///< "host", or "host:port" for another port than 443
    std::string host_field() const; ///< the same for Host: without the zone, which means nothing to the peer
    ACMETOOL_EXPORT std::string origin() const; ///< "https://host" or "https://host:port" (RFC 6454)
    std::string text() const;                   ///< origin() + target
};

/// Parses an absolute https URL. User names, spaces, control characters and other schemes are refused.
/// Errc::bad_input, reason "badUrl" or "notHttps".
ACMETOOL_EXPORT Result<Url> parse_url(std::string_view text);

/// The URL that `reference` (a Location header) denotes in a reply from `base` (RFC 3986 section 5).
ACMETOOL_EXPORT Result<Url> resolve(const Url& base, std::string_view reference);

} // namespace acmetool::http
