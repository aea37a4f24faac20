#pragma once

#include <string>

#include "base/result.h"
#include "base/secret.h"
#include "crypto/key.h"

namespace acmetool::crypto
{

/// The private key as encrypted PKCS#8 PEM (RFC 5958): PBES2 with PBKDF2 and AES-256-CBC. `passphrase` is not
/// empty.
ACMETOOL_EXPORT Result<std::string> to_encrypted_pem(const Key& key, const base::Secret& passphrase);

} // namespace acmetool::crypto
