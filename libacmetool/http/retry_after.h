#pragma once

#include <optional>
#include <string_view>

#include "base/time.h"

namespace acmetool::http
{

inline constexpr std::chrono::seconds kRetryAfterMax{std::chrono::hours{24}};

/// How long the peer asks us to wait (RFC 9110 section 10.2.3): delta seconds or HTTP-date.
///
/// A date in the past is zero, more than `limit` is cut to it; a negative number or junk is nothing at all.
ACMETOOL_EXPORT std::optional<std::chrono::seconds>
parse_retry_after(std::string_view value, base::TimePoint now, std::chrono::seconds limit = kRetryAfterMax);

} // namespace acmetool::http
