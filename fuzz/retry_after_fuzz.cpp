// Retry-After headers.
#include <cstddef>
#include <string_view>

#include "http/retry_after.h"

extern "C" int fuzz_retry_after(const unsigned char* data, std::size_t size)
{
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    const auto wait = acmetool::http::parse_retry_after(text, acmetool::base::TimePoint{});
    if (wait && (wait->count() < 0 || *wait > acmetool::http::kRetryAfterMax)) __builtin_trap();
    return 0;
}
