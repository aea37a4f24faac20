// TSIG key files.
#include <cstddef>
#include <string_view>

#include "dns/tsig.h"

extern "C" int fuzz_tsig_key(const unsigned char* data, std::size_t size)
{
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    static_cast<void>(acmetool::dns::parse_tsig_key(text).has_value());
    return 0;
}
