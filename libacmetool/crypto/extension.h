#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/cert.h"

namespace acmetool::crypto
{

/// The content of the extension `oid` (dotted decimal): the content of its OCTET STRING (RFC 5280 section
/// 4.2). Nothing if the certificate has no such extension.
ACMETOOL_EXPORT std::optional<Bytes> extension_value(const Certificate& certificate, std::string_view oid);

/// The subjectKeyIdentifier (RFC 5280 section 4.2.1.2), or nothing. The issuer chooses it: it need not be
/// derived from the key.
ACMETOOL_EXPORT std::optional<Bytes> subject_key_id(const Certificate& certificate);

/// The http URLs at which its issuer's certificate can be fetched, five at most: caIssuers in the
/// authorityInfoAccess (RFC 5280 section 4.2.2.1).
ACMETOOL_EXPORT std::vector<std::string> issuer_urls(const Certificate& certificate);

/// The last common name in the issuer's name, UTF-8; empty if there is none.
ACMETOOL_EXPORT std::string issuer_common_name(const Certificate& certificate);

} // namespace acmetool::crypto
