#pragma once

#include <optional>
#include <string_view>

#include "base/time.h"

namespace acmetool::http
{

inline constexpr std::chrono::seconds kRetryAfterMax{std::chrono::hours{24}};

/// The wait that the peer requests (RFC 9110 section 10.2.3): delta seconds or HTTP-date.
///
/// A date in the past is zero, and more than `limit` is reduced to it. Nothing for a negative number or junk.
ACMETOOL_EXPORT std::optional<std::chrono::seconds>
parse_retry_after(std::string_view value, base::TimePoint now, std::chrono::seconds limit = kRetryAfterMax);

} // namespace acmetool::http
