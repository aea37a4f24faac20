#include "crypto/digest.h"

#include <cstdlib>

#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "crypto/hash_function.h"
#include "crypto/openssl.h"

namespace acmetool::crypto
{

const EVP_MD* function_of(Hash hash)
{
    switch (hash) {
    case Hash::md5:
        return EVP_md5();
    case Hash::sha1:
        return EVP_sha1();
    case Hash::sha256:
        return EVP_sha256();
    case Hash::sha384:
        return EVP_sha384();
    case Hash::sha512:
        return EVP_sha512();
    }
    return nullptr;
}

Bytes sha256(ByteView data)
{
    Bytes made(32);
    EVP_Digest(data.data(), data.size(), made.data(), nullptr, EVP_sha256(), nullptr);
    return made;
}

Result<Bytes> digest(Hash hash, std::initializer_list<ByteView> parts)
{
    Bytes made(EVP_MAX_MD_SIZE);
    unsigned size = 0;
    const MdCtxPtr context{EVP_MD_CTX_new()};
    bool good = context && EVP_DigestInit_ex(context.get(), function_of(hash), nullptr) == 1;
    for (const auto part : parts)
        good = good && EVP_DigestUpdate(context.get(), part.data(), part.size()) == 1;
    if (!good || EVP_DigestFinal_ex(context.get(), made.data(), &size) != 1)
        return openssl_failure(Errc::internal, "computing a digest");
    made.resize(size);
    return made;
}

Result<Bytes> hmac(Hash hash, ByteView key, ByteView data)
{
    Bytes made(EVP_MAX_MD_SIZE);
    unsigned size = 0;
    if (HMAC(function_of(hash), key.data(), static_cast<int>(key.size()), data.data(), data.size(),
             made.data(), &size) == nullptr)
        return openssl_failure(Errc::internal, "computing a MAC");
    made.resize(size);
    return made;
}

bool equal_in_constant_time(ByteView one, ByteView other)
{
    return one.size() == other.size() && CRYPTO_memcmp(one.data(), other.data(), one.size()) == 0;
}

Bytes random_bytes(std::size_t count)
{
    Bytes octets(count);
    if (RAND_bytes(octets.data(), static_cast<int>(count)) != 1) std::abort(); // never without randomness
    return octets;
}

} // namespace acmetool::crypto
