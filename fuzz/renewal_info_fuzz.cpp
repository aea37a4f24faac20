// RenewalInfo objects (RFC 9773 section 4.2).
#include <cstddef>
#include <string_view>

#include "acme/renewal_info.h"

extern "C" int fuzz_renewal_info(const unsigned char* data, std::size_t size)
{
    using namespace acmetool;
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    const auto info = acme::parse_renewal_info(text);
    if (!info) return 0;
    for (const auto random : {0U, 1U << 31U, 0xffffffffU}) {
        const auto moment = acme::moment_in(*info, random);
        if (moment < info->start || moment > info->end) __builtin_trap();
    }
    return 0;
}
