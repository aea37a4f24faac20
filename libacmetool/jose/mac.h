#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"
#include "base/secret.h"
#include "jose/jws.h"

/// JWS with a MAC instead of a signature: the external account binding (RFC 8555 section 7.3.4).
namespace acmetool::jose
{

/// The flattened JWS of `payload` under `header`, to which "alg": "HS256" is added. `key` is the MAC key's
/// octets, not base64url.
ACMETOOL_EXPORT Result<std::string> sign_with_mac(const base::Secret& key, base::Json header,
                                                  std::string_view payload);

/// Verifies with `key`; the header's "alg" is HS256, HS384 or HS512 (RFC 7518 section 3.2). bad_input if it
/// does not verify.
ACMETOOL_EXPORT Result<void> verify_mac(const Jws& jws, const base::Secret& key);

} // namespace acmetool::jose
