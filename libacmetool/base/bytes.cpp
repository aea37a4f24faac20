#include "base/bytes.h"

namespace acmetool
{

std::string to_hex(ByteView bytes)
{
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text;
    text.reserve(bytes.size() * 2);
    for (const auto octet : bytes) {
        text += kDigits[octet >> 4];
        text += kDigits[octet & 15];
    }
    return text;
}

} // namespace acmetool
