#pragma once

#include <cstddef>
#include <optional>

#include "crypto/cert.h"
#include "crypto/key.h"

using OSSL_LIB_CTX = struct ossl_lib_ctx_st;

/// OpenSSL 3.0 collects the decoders of all its providers for each certificate that it reads, and compares
/// each of them with each type of key: that takes longer than a signature. Later versions remember them.
namespace acmetool::crypto
{

/// Where certificates are read, those of TLS peers included: OpenSSL's default provider with no other
/// decoders than those of the public keys that certificates have (RFC 5480, RFC 4055, RFC 8410). A key that
/// was read here works in OpenSSL's default context too.
///
/// Null, which is OpenSSL's default context, where its configuration has other providers than "default":
/// then nothing is done without them.
OSSL_LIB_CTX* certificate_context();
/// The same for TLS that signs with `key`: null too if the key is in another provider, which signs only
/// there.
OSSL_LIB_CTX* certificate_context(const Key& key);

/// The certificate at `*data`, which is behind it then; nothing, with OpenSSL's reasons in its queue. A key
/// of another type is read in OpenSSL's default context; if it cannot be read there, X509_get0_pubkey() has
/// none.
std::optional<Certificate> read_certificate(const unsigned char** data, std::size_t size);

} // namespace acmetool::crypto
