#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/cert.h"

namespace acmetool::crypto
{

/// The content of the extension `oid` (dotted decimal): what its OCTET STRING holds (RFC 5280 section 4.2).
/// Nothing where the certificate has no such extension.
ACMETOOL_EXPORT std::optional<Bytes> extension_value(const Certificate& certificate, std::string_view oid);

/// The subjectKeyIdentifier (RFC 5280 section 4.2.1.2), or nothing. The issuer wrote it: it need not come
/// from the key.
ACMETOOL_EXPORT std::optional<Bytes> subject_key_id(const Certificate& certificate);

/// The last common name in the issuer's name, UTF-8; empty where there is none.
ACMETOOL_EXPORT std::string issuer_common_name(const Certificate& certificate);

} // namespace acmetool::crypto
