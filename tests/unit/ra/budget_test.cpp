#include "ra/budget.h"

#include <doctest/doctest.h>

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
