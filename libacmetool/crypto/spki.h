#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/key.h"
#include "crypto/openssl.h"

/// SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7). OpenSSL 3.0 collects all its encoders or decoders for
/// each key, which takes longer than a signature. The usual form of the usual curves is written and read
/// here: named P-256, P-384 or P-521, the point uncompressed (RFC 5480 section 2).
namespace acmetool::crypto
{

/// The key in the usual form; empty if it is not on one of these curves, or if it was read in another form.
Bytes usual_spki(const Key& key);

/// Writes the key into a certificate or request that is made to be signed and encoded: after that, OpenSSL's
/// object may not have it as a key (X509_get_pubkey). False if it fails.
bool write_spki(X509* certificate, const Key& key);
bool write_spki(X509_REQ* request, const Key& key);

/// Reads a key in any form that OpenSSL knows. Errc::bad_input if it is none, or not a point of its curve.
Result<Key> read_spki(ByteView der);

} // namespace acmetool::crypto
