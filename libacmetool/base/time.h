#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace acmetool::base
{

using TimePoint = std::chrono::sys_seconds; ///< wall clock, UTC, whole seconds
using Milliseconds = std::chrono::milliseconds;

/// The time of the system's clock.
ACMETOOL_EXPORT TimePoint now();

/// From now until then, rounded up, for poll(2) and epoll_wait(2); 0 if it has passed.
int milliseconds_until(std::chrono::steady_clock::time_point when);

/// RFC 3339 in UTC, "2026-11-23T18:58:45Z".
ACMETOOL_EXPORT std::string to_rfc3339(TimePoint time);

/// Parses RFC 3339 with any offset; a fraction of a second is discarded. bad_input otherwise.
ACMETOOL_EXPORT Result<TimePoint> parse_rfc3339(std::string_view text);

/// Parses an HTTP-date in its three forms (RFC 9110 section 5.6.7). bad_input otherwise.
ACMETOOL_EXPORT Result<TimePoint> parse_http_date(std::string_view text);

/// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 section 5.6.7).
ACMETOOL_EXPORT std::string to_http_date(TimePoint time);

/// Parses "500ms", "30s", "10m", "12h", "7d" (a bare number is refused). bad_input otherwise.
ACMETOOL_EXPORT Result<Milliseconds> parse_duration(std::string_view text);

/// "1 min 30 s", for people; at most two units.
ACMETOOL_EXPORT std::string describe(Milliseconds duration);

/// How long before its end something is renewed: a fixed time ("12h", "7d") or a share of its lifetime
/// ("1/3").
struct ACMETOOL_EXPORT Margin {
    std::optional<std::chrono::seconds> fixed;
    unsigned numerator = 1;   ///< of the share; used if `fixed` is absent
    unsigned denominator = 3; ///< never zero

    /// The moment at which something valid from `start` to `end` becomes due. With a fixed margin longer than
    /// the lifetime, it is due immediately.
    TimePoint due(TimePoint start, TimePoint end) const;
};
ACMETOOL_EXPORT Result<Margin> parse_margin(std::string_view text);

} // namespace acmetool::base
