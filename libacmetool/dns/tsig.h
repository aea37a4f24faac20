#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret.h"

namespace acmetool::dns
{

/// A TSIG key (RFC 8945).
struct TsigKey {
    std::string name;      ///< "update.example.com"
    std::string algorithm; ///< "hmac-sha256"
    base::Secret secret;   ///< base64, as ldns requires
};

/// Parses a key: a key statement as in named.conf and from tsig-keygen, possibly with comments, or one line
/// ALGORITHM:NAME:BASE64. hmac-md5 and hmac-sha1 are refused (RFC 8945 section 6). Errc::config, reason
/// "tsigKey"; the message never quotes the text.
ACMETOOL_EXPORT Result<TsigKey> parse_tsig_key(std::string_view text);

} // namespace acmetool::dns
