#include "crypto/key_size.h"

#include <fmt/core.h>
#include <openssl/core_names.h>
#include <openssl/x509_vfy.h>

#include "crypto/openssl.h"

namespace acmetool::crypto
{
namespace
{

constexpr int kMostBits = 4096;
constexpr int kMostCurveBits = 521;
constexpr int kMostExponentBits = 64; ///< OpenSSL's limit for moduli above 3072 bits

/// 0 if it is not an RSA key.
int exponent_bits(EVP_PKEY* pkey)
{
    if (EVP_PKEY_is_a(pkey, "RSA") != 1 && EVP_PKEY_is_a(pkey, "RSA-PSS") != 1) return 0;
    BIGNUM* number = nullptr;
    EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &number);
    const BignumPtr exponent{number};
    return exponent ? BN_num_bits(exponent.get()) : 0;
}

} // namespace

Result<void> check_key_size(const Key& key)
{
    const int bits = EVP_PKEY_get_bits(key.get());
    const int most = EVP_PKEY_is_a(key.get(), "EC") == 1 ? kMostCurveBits : kMostBits;
    if (bits > most)
        return fail(Errc::bad_input,
                    fmt::format("a key of {} bits is too large: the maximum is {}", bits, most),
                    "use ec:P-256, or rsa:2048 to rsa:4096", "keyTooLarge");
    if (const int exponent = exponent_bits(key.get()); exponent > kMostExponentBits)
        return fail(Errc::bad_input,
                    fmt::format("an RSA exponent of {} bits is too large: the maximum is {}", exponent,
                                kMostExponentBits),
                    "use the exponent 65537", "keyTooLarge");
    return {};
}

Result<void> check_peer_key(X509_STORE_CTX* store)
{
    X509* const own = X509_STORE_CTX_get0_cert(store);
    EVP_PKEY* const pkey = own != nullptr ? X509_get_pubkey(own) : nullptr;
    if (pkey == nullptr) return openssl_failure(Errc::protocol, "the peer's public key cannot be read");
    return check_key_size(Key::adopt(pkey));
}

} // namespace acmetool::crypto
