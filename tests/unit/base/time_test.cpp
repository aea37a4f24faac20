#include <chrono>
#include <limits>

#include <doctest/doctest.h>

#include "base/time.h"

using namespace acmetool::base;
using namespace std::chrono_literals;

TEST_CASE("RFC 3339 times")
{
    CHECK(to_rfc3339(*parse_rfc3339("2026-11-23T18:58:45Z")) == "2026-11-23T18:58:45Z");
    CHECK(to_rfc3339(*parse_rfc3339("2023-09-01T00:04:00+04:00")) == "2023-08-31T20:04:00Z");
    CHECK(to_rfc3339(*parse_rfc3339("2023-09-01T14:09:07.99Z")) == "2023-09-01T14:09:07Z");
    CHECK(to_rfc3339(*parse_rfc3339("9999-12-31T23:59:59Z")) == "9999-12-31T23:59:59Z");
    for (const auto* text :
         {"", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-11-23T24:00:00Z", "2026-11-23T18:58:45",
          "2026-11-23T18:58:45.Z", "2026-11-23", "2026-11-23T18:58:45+0400"})
        CHECK_FALSE(parse_rfc3339(text));
}

TEST_CASE("durations have a unit")
{
    CHECK(*parse_duration("500ms") == 500ms);
    CHECK(*parse_duration("7d") == 24h * 7);
    for (const auto* text : {"", "10", "-1s", "1y", "1.5s", "99999999999999999999s", "200000d"})
        CHECK_FALSE(parse_duration(text));
    CHECK(describe(90s) == "1 min 30 s");
}

TEST_CASE("ACME-43a: margins are shares of the lifetime, however short")
{
    const TimePoint start{0s};
    CHECK(Margin{}.due(start, start + 30h) == start + 20h);
    CHECK(Margin{}.due(start, start + 7h) == start + 4h + 40min);
    CHECK(parse_margin("12h")->due(start, start + 30h) == start + 18h);
    CHECK(parse_margin("2/3")->due(start, start + 30h) == start + 10h);
    CHECK(parse_margin("1/2")->due(start, start + 30h) == start + 15h);
    const auto forever = *parse_rfc3339("9999-12-31T23:59:59Z");
    CHECK(Margin{}.due(start, forever) < forever);
    for (const auto* text : {"", "0/3", "1/0", "4/3", "a/b", "1/3x", "3"})
        CHECK_FALSE(parse_margin(text));
}

TEST_CASE("What poll(2) waits is rounded up, nothing if the time has passed, and at most what it takes")
{
    using Clock = std::chrono::steady_clock;
    CHECK(milliseconds_until({}) == 0);
    CHECK(milliseconds_until(Clock::now()) == 0);
    const auto soon = milliseconds_until(Clock::now() + std::chrono::hours{1});
    CHECK(soon > 3'500'000);
    CHECK(soon <= 3'600'000);
    CHECK(milliseconds_until(Clock::time_point::max()) == std::numeric_limits<int>::max());
}
