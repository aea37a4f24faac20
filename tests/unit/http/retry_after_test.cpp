#include <doctest/doctest.h>

#include "http/retry_after.h"

using namespace acmetool;
using namespace std::chrono_literals;

TEST_CASE("FAULT-07, ACME-12a: Retry-After as seconds, as HTTP-date, in the past, negative, huge, junk")
{
    const auto now = *base::parse_rfc3339("1994-11-06T08:49:37Z");
    CHECK(http::parse_retry_after("120", now) == 120s);
    CHECK(http::parse_retry_after(" 0 ", now) == 0s);
    CHECK(http::parse_retry_after("Sun, 06 Nov 1994 08:50:37 GMT", now) == 60s);
    CHECK(http::parse_retry_after("Sunday, 06-Nov-94 08:50:37 GMT", now) == 60s);
    CHECK(http::parse_retry_after("Sun Nov  6 08:50:37 1994", now) == 60s);
    CHECK(http::parse_retry_after("Sun, 06 Nov 1994 08:48:37 GMT", now) == 0s);
    CHECK(http::parse_retry_after("99999999999999999999999", now) == http::kRetryAfterMax);
    CHECK(http::parse_retry_after("Fri, 31 Dec 9999 23:59:59 GMT", now) == http::kRetryAfterMax);
    for (const auto* junk : {"", "-5", "soon", "1.5", "0x10", "12 s"})
        CHECK_FALSE(http::parse_retry_after(junk, now));
}
