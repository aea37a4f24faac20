#pragma once

#include <string_view>

#include "base/result.h"
#include "radius/packet.h"

namespace acmetool::access
{

/// An attribute of an Access-Accept as a configuration writes it, "NAME=VALUE".
///
/// NAME is one of a list (the error's hint shows it), or a number: "25", or "26.VENDOR.TYPE" for a
/// Vendor-Specific attribute (RFC 2865 section 5.26). VALUE is a number for attributes that have one, else
/// text; octets are written "0x...". What the server itself sets (User-Name, State, EAP-Message, keys, the
/// tunnel's attributes) is refused. Errc::usage.
ACMETOOL_EXPORT Result<radius::Attribute> parse_reply_attribute(std::string_view text);

} // namespace acmetool::access
