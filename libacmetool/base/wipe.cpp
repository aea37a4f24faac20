#include "base/wipe.h"

#include <openssl/crypto.h>

namespace acmetool::base
{

void wipe(std::span<std::uint8_t> octets) noexcept
{
    OPENSSL_cleanse(octets.data(), octets.size());
}

void wipe(std::string& text) noexcept
{
    OPENSSL_cleanse(text.data(), text.size());
}

} // namespace acmetool::base
