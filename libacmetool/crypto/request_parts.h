#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "crypto/key.h"
#include "crypto/openssl.h"

/// Parts of a request that csr.cpp and csr_remake.cpp share.
namespace acmetool::crypto
{

/// The digest to sign with: `wanted`, by OpenSSL's name, or the default of the key; nullptr for Ed25519.
const EVP_MD* digest_for(const Key& key, const std::string& wanted = {});

/// Adds the attribute challengePassword (RFC 2985 section 5.4.1). Errc::bad_input unless it is 1 to 255
/// octets long.
Result<void> add_challenge_password(X509_REQ* request, std::string_view password);

} // namespace acmetool::crypto
