#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/json.h"
#include "base/result.h"
#include "crypto/key.h"

/// Flattened JSON JWS with one signature, as ACME uses it (RFC 7515 section 7.2.2, RFC 8555 section 6.2).
namespace acmetool::jose
{

/// The JWS algorithm of a key: ES256, ES384, ES512, RS256, EdDSA. Errc::config for other keys.
ACMETOOL_EXPORT Result<std::string> algorithm_of(const crypto::Key& key);

/// Signs `payload` under the members of `header`; adds "alg". Returns the JSON text of the whole JWS.
/// ECDSA signatures are R||S of fixed length (RFC 7518 section 3.4). An empty payload remains ""
/// (POST-as-GET).
ACMETOOL_EXPORT Result<std::string> sign(const crypto::Key& key, base::Json header, std::string_view payload);

/// A JWS as received, not verified yet.
struct Jws {
    std::shared_ptr<const base::Json> header; ///< protected header, parsed; never null
    Bytes payload;
    Bytes signature;
    std::string signing_input; ///< base64url(header) "." base64url(payload), as received
};

/// Parses the flattened form strictly: exactly protected, payload, signature; no unprotected header, no
/// "signatures", no b64:false (RFC 8555 section 6.2). bad_input.
ACMETOOL_EXPORT Result<Jws> parse_jws(std::string_view text);

/// Verifies with `key`, whose algorithm must be the header's "alg". bad_input if it does not verify.
ACMETOOL_EXPORT Result<void> verify(const Jws& jws, const crypto::Key& key);

} // namespace acmetool::jose
