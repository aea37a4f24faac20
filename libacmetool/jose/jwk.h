#pragma once

#include <string>

#include "base/json.h"
#include "base/result.h"
#include "crypto/key.h"

/// JSON Web Keys of the types that ACME accounts use: EC P-256/384/521, RSA, Ed25519 (RFC 7517, 7518, 8037).
namespace acmetool::jose
{

/// The public JWK. EC coordinates keep their full length with leading zeros, RSA n and e have none
/// (RFC 7518 section 6). Errc::config for other key types.
ACMETOOL_EXPORT Result<base::Json> to_jwk(const crypto::Key& key);

/// Reads a public JWK. Refuses private members and RSA keys outside 2048 to 4096 bits. The cost is low for
/// any input. Errors: bad_input.
ACMETOOL_EXPORT Result<crypto::Key> parse_jwk(const base::Json& jwk);

/// base64url(SHA-256 of the canonical JWK) (RFC 7638 section 3).
ACMETOOL_EXPORT Result<std::string> thumbprint(const crypto::Key& key);

} // namespace acmetool::jose
