#include "crypto/digest_strength.h"

#include <openssl/evp.h>

namespace acmetool::crypto
{

bool is_weak_digest(int nid)
{
    constexpr int kLeastBits = 224; // twice the 112 bits of level 2
    const auto* const digest = EVP_get_digestbynid(nid);
    return digest != nullptr && EVP_MD_get_size(digest) * 8 < kLeastBits;
}

} // namespace acmetool::crypto
