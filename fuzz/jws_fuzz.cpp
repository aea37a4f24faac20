// Signed requests, as acme-ca gets them.
#include <cstddef>
#include <string_view>

#include "jose/jws.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size)
{
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    static_cast<void>(acmetool::jose::parse_jws(text).has_value());
    return 0;
}
