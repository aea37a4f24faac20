#include "http/retry_after.h"

#include <algorithm>

#include "base/text.h"

namespace acmetool::http
{

std::optional<std::chrono::seconds> parse_retry_after(std::string_view value, base::TimePoint now,
                                                      std::chrono::seconds limit)
{
    value = base::trim(value);
    if (value.empty()) return std::nullopt;
    if (std::all_of(value.begin(), value.end(), [](char c) { return c >= '0' && c <= '9'; })) {
        // A number with more digits than the limit exceeds the limit.
        std::int64_t seconds = 0;
        for (const char c : value)
            seconds = std::min<std::int64_t>(seconds * 10 + (c - '0'), limit.count());
        return std::chrono::seconds{seconds};
    }
    const auto date = base::parse_http_date(value);
    if (!date) return std::nullopt;
    return std::clamp(std::chrono::duration_cast<std::chrono::seconds>(*date - now), std::chrono::seconds{0},
                      limit);
}

} // namespace acmetool::http
