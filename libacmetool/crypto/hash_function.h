#pragma once

#include <openssl/evp.h>

#include "crypto/digest.h"

namespace acmetool::crypto
{

/// OpenSSL's object for it. Not owned.
const EVP_MD* function_of(Hash hash);

} // namespace acmetool::crypto
