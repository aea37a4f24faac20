// MAC keys of external accounts.
#include <cstddef>
#include <string_view>

#include "acme/external_account.h"

extern "C" int fuzz_mac_key(const unsigned char* data, std::size_t size)
{
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    const auto key = acmetool::acme::parse_mac_key(text, "key");
    if (key && key->empty()) __builtin_trap();
    return 0;
}
