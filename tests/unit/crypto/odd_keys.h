#pragma once

#include <doctest/doctest.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>

#include "crypto/key.h"

/// One elliptic curve key in the forms in which it can come.
namespace acmetool::test
{

inline crypto::Key with_encoding(const crypto::Key& key, const char* parameter, const char* value)
{
    EVP_PKEY* const copy = EVP_PKEY_dup(key.get());
    REQUIRE(copy != nullptr);
    REQUIRE(EVP_PKEY_set_utf8_string_param(copy, parameter, value) == 1);
    return crypto::Key::adopt(copy);
}

/// With a compressed point.
inline crypto::Key compressed(const crypto::Key& key)
{
    return with_encoding(key, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
                         OSSL_PKEY_EC_POINT_CONVERSION_FORMAT_COMPRESSED);
}

/// With the parameters of the curve instead of its name.
inline crypto::Key with_explicit_curve(const crypto::Key& key)
{
    return with_encoding(key, OSSL_PKEY_PARAM_EC_ENCODING, OSSL_PKEY_EC_ENCODING_EXPLICIT);
}

} // namespace acmetool::test
