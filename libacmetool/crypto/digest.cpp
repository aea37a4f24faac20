#include "crypto/digest.h"

#include <cstdlib>

#include <openssl/evp.h>
#include <openssl/rand.h>

namespace acmetool::crypto
{

Bytes sha256(ByteView data)
{
    Bytes digest(32);
    EVP_Digest(data.data(), data.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
    return digest;
}

Bytes random_bytes(std::size_t count)
{
    Bytes octets(count);
    if (RAND_bytes(octets.data(), static_cast<int>(count)) != 1) std::abort(); // never without randomness
    return octets;
}

} // namespace acmetool::crypto
