// Answers of DNS servers.
#include <cstddef>
#include <string_view>

#include "dns/query.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size)
{
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    static_cast<void>(acmetool::dns::parse_answer(acmetool::as_bytes(text)).has_value());
    return 0;
}
