#include "ra/budget.h"

#include <doctest/doctest.h>

#include "base/spread.h"

using namespace acmetool;
using namespace std::chrono_literals;

namespace
{

constexpr base::TimePoint kNow{std::chrono::seconds{1'800'000'000}};

ra::Budget budget(unsigned per_device, unsigned in_total, unsigned reserve)
{
    ra::LimitOptions limits;
    limits.orders_per_device = per_device;
    limits.orders_in_total = in_total;
    limits.renewal_reserve = reserve;
    limits.budget_window = 1h;
    return ra::Budget{limits};
}

} // namespace

TEST_CASE("SEC-07: orders count for a window, by device and in all, and renewals keep their reserve")
{
    auto counted = budget(2, 4, 1);
    CHECK_FALSE(counted.refuses("a", false, kNow));
    counted.spend({kNow, "a", false});
    counted.spend({kNow + 10min, "a", false});
    CHECK(counted.refuses("a", false, kNow + 20min) == std::optional<std::chrono::seconds>{40min});
    CHECK_FALSE(counted.refuses("b", false, kNow + 20min));
    counted.spend({kNow + 20min, "b", false});
    CHECK(counted.refuses("c", false, kNow + 20min)); // what is left is the renewals'
    CHECK_FALSE(counted.refuses("c", true, kNow + 20min));
    CHECK_FALSE(counted.refuses("a", false, kNow + 1h));
    counted.undo(); // nothing of it was stored
    CHECK_FALSE(counted.refuses("a", false, kNow + 20min));
}

TEST_CASE(
    "SEC-07: what a clock that was ahead wrote down counts for one window from now, not until it is over")
{
    auto counted = budget(1, 10, 0);
    counted.load({{kNow + 24h, "a", false}});
    CHECK(counted.refuses("a", false, kNow) == std::optional<std::chrono::seconds>{1h});
    CHECK(counted.refuses("a", false, kNow + 30min));
    CHECK_FALSE(counted.refuses("a", false, kNow + 1h));
}

TEST_CASE("SCL-22: no more come again in a second than are served in one, and nobody before its time")
{
    ra::Turns turns;
    for (unsigned i = 0; i < ra::Turns::kPerSecond; ++i)
        CHECK(turns.take(kNow, 30s) == 30s);
    for (unsigned i = 0; i < ra::Turns::kPerSecond; ++i)
        CHECK(turns.take(kNow, 30s) == 31s);
    CHECK(turns.take(kNow + 1s, 30s) == 31s);
    // Once all have come, it begins anew.
    CHECK(turns.take(kNow + 60s, 30s) == 30s);
    // The queue is an hour at most, and what a clock wrote that was ahead does not last.
    auto longest = 0s;
    for (unsigned i = 0; i < 4000 * ra::Turns::kPerSecond; ++i)
        longest = std::max(longest, turns.take(kNow + 60s, 30s));
    CHECK(longest == 3630s);
    CHECK(turns.take(kNow - 24h, 30s) == 30s);
}

TEST_CASE("SCL-27: relays share the turns of a second, and each has one at least")
{
    ra::Turns turns;
    for (unsigned i = 0; i < ra::Turns::kPerSecond / 3; ++i)
        CHECK(turns.take(kNow, 30s, 3) == 30s);
    CHECK(turns.take(kNow, 30s, 3) == 31s);
    // One of them ended.
    for (unsigned i = 1; i < ra::Turns::kPerSecond / 2; ++i)
        CHECK(turns.take(kNow, 30s, 2) == 31s);
    CHECK(turns.take(kNow, 30s, 2) == 32s);
    ra::Turns of_many;
    CHECK(of_many.take(kNow, 30s, 1000) == 30s);
    CHECK(of_many.take(kNow, 30s, 1000) == 31s);
}

TEST_CASE(
    "SCL-22: a wait that many are told is a fifth shorter or longer, and one that must be over only longer")
{
    auto least = 100s;
    auto most = 100s;
    auto least_after = 200s;
    auto most_after = 0s;
    for (int i = 0; i < 2000; ++i) {
        least = std::min(least, base::spread(100s));
        most = std::max(most, base::spread(100s));
        least_after = std::min(least_after, base::spread_after(100s));
        most_after = std::max(most_after, base::spread_after(100s));
        CHECK(base::spread(2s) == 2s);
        CHECK(base::spread(0s) == 0s);
    }
    CHECK(least == 80s);
    CHECK(most == 120s);
    CHECK(least_after == 100s);
    CHECK(most_after == 120s);
    CHECK(base::spread(base::Milliseconds{1000}) >= base::Milliseconds{800});
    CHECK(base::spread(base::Milliseconds{1000}) <= base::Milliseconds{1200});
}

TEST_CASE("SCL-23: without orders_in_total, the inventory says how many orders are usual")
{
    ra::LimitOptions limits;
    CHECK(ra::in_force(limits, 0).orders_in_total == 1000);
    CHECK(ra::in_force(limits, 50'000).orders_in_total == 50'000);
    limits.orders_in_total = 7;
    CHECK(ra::in_force(limits, 50'000).orders_in_total == 7);
}
