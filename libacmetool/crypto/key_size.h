#pragma once

#include "base/result.h"
#include "crypto/key.h"

using X509_STORE_CTX = struct x509_store_ctx_st;

/// Limits on the cost of peers' keys, checked before a signature is verified with such a key.
namespace acmetool::crypto
{

/// Refuses a public key of more than 4096 bits (RSA, DSA, DH), an RSA exponent of more than 64 bits, and a
/// curve of more than 521. Errc::bad_input, reason "keyTooLarge".
ACMETOOL_EXPORT Result<void> check_key_size(const Key& key);

/// For a callback of SSL_CTX_set_cert_verify_callback(): the same for the peer's certificate, with whose key
/// the handshake next verifies a signature.
ACMETOOL_EXPORT Result<void> check_peer_key(X509_STORE_CTX* store);

} // namespace acmetool::crypto
