#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret.h"

namespace acmetool::acme
{

/// An existing non-ACME account of the operator at the CA (RFC 8555 section 7.3.4).
struct ExternalAccount {
    std::string kid;      ///< key identifier, as the CA gave it; empty: none
    base::Secret mac_key; ///< octets
};

/// Reads a MAC key in the forms that CAs use: base64url, or base64 with padding, with white space around it;
/// 1 to 1024 octets. Errc::config, reason "badMacKey"; the message never contains the key.
ACMETOOL_EXPORT Result<base::Secret> parse_mac_key(std::string_view text, std::string_view what);

} // namespace acmetool::acme
