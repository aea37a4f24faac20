#pragma once

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>

#include "crypto/key.h"
#include "crypto/openssl.h"

namespace acmetool::test
{

/// An RSA public key of that many bits, whose private half nobody has: made in no time.
inline crypto::Key public_rsa(int bits, int exponent_bits = 17)
{
    const crypto::BignumPtr n{BN_new()};
    const crypto::BignumPtr e{BN_new()};
    for (const auto& [number, size] : {std::pair{n.get(), bits}, {e.get(), exponent_bits}}) {
        BN_zero(number);
        BN_set_bit(number, size - 1);
        BN_set_bit(number, 0);
    }
    const crypto::Owned<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free> builder{OSSL_PARAM_BLD_new()};
    OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get());
    OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get());
    const crypto::Owned<OSSL_PARAM, OSSL_PARAM_free> parameters{OSSL_PARAM_BLD_to_param(builder.get())};
    const crypto::PkeyCtxPtr context{EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr)};
    EVP_PKEY* pkey = nullptr;
    EVP_PKEY_fromdata_init(context.get());
    EVP_PKEY_fromdata(context.get(), &pkey, EVP_PKEY_PUBLIC_KEY, parameters.get());
    return crypto::Key::adopt(pkey);
}

} // namespace acmetool::test
