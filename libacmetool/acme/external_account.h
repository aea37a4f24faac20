#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret.h"

namespace acmetool::acme
{

/// An account that the operator has with the CA already, outside of ACME (RFC 8555 section 7.3.4).
struct ExternalAccount {
    std::string kid;      ///< key identifier, as the CA gave it; empty: none
    base::Secret mac_key; ///< octets
};

/// Reads a MAC key as CAs hand it out: base64url, or base64 with padding, white space around it; 1 to 1024
/// octets. Errc::config, reason "badMacKey"; the message never shows the key.
ACMETOOL_EXPORT Result<base::Secret> parse_mac_key(std::string_view text, std::string_view what);

} // namespace acmetool::acme
