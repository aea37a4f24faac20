#include "ra/budget.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <queue>
#include <string>
#include <unordered_map>
#include <vector>

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

namespace
{

/// Devices that renew at a relay again and again, with its turns and waits, on a CA that takes so many orders
/// a second and is away for a while. Nothing but the clock is simulated that the relay has.
class RenewalWorld
{
    using seconds = std::chrono::seconds;

public:
    static constexpr seconds kLife{47 * 24h};
    static constexpr seconds kFirstTurn{30}; ///< as failed() tells after an outage

    RenewalWorld(std::size_t devices, std::int64_t ca_rate, seconds away_from, seconds away_until)
        : ca_rate_(ca_rate), away_from_(away_from), away_until_(away_until), ends_(devices)
    {
        // All got their certificates within a day, as those of a new site do.
        for (std::uint32_t i = 0; i < devices; ++i) {
            const seconds issued{base::some_number(0, 86'400)};
            ends_[i] = issued + kLife;
            come_.emplace(issued + kLife * 2 / 3, i);
        }
    }

    void run(seconds until)
    {
        while (come_.top().first < until) {
            const auto [now, device] = come_.top();
            come_.pop();
            if (now > away_until_) most_at_once_ = std::max(most_at_once_, ++arrivals_[now.count()]);
            come_.emplace(now + ask(now, device), device);
        }
    }

    std::size_t renewed() const { return renewed_; }
    std::size_t missed() const { return missed_; }
    std::size_t most_at_once() const { return most_at_once_; }
    std::size_t refused() const { return refused_; }
    seconds last_delayed() const { return last_delayed_; }

private:
    /// The time until the device comes again.
    seconds ask(seconds now, std::uint32_t device)
    {
        if (now >= away_from_ && now < away_until_)
            return refused(now, base::spread(after_failure_.take(base::TimePoint{now}, kFirstTurn)));
        if (const auto minute = now.count() / 60; minute != minute_) {
            minute_ = minute;
            taken_ = 0;
        }
        if (now >= held_until_ && ++taken_ > ca_rate_)
            held_until_ = now + base::spread_after(seconds{60 - now.count() % 60});
        if (now < held_until_)
            return refused(now,
                           base::spread_after(after_hold_.take(base::TimePoint{now}, held_until_ - now)));
        ++renewed_;
        if (now > ends_[device]) ++missed_;
        ends_[device] = now + kLife;
        return kLife * 2 / 3;
    }
    seconds refused(seconds now, seconds wait)
    {
        ++refused_;
        last_delayed_ = now + wait;
        return wait;
    }

    const std::int64_t ca_rate_;
    const seconds away_from_;
    const seconds away_until_;
    std::vector<seconds> ends_;
    using Coming = std::pair<seconds, std::uint32_t>;
    std::priority_queue<Coming, std::vector<Coming>, std::greater<>> come_;
    ra::Turns after_failure_;
    ra::Turns after_hold_;
    seconds held_until_{0};
    std::int64_t minute_ = -1;
    std::int64_t taken_ = 0;
    std::size_t renewed_ = 0;
    std::size_t missed_ = 0;
    std::size_t refused_ = 0;
    std::size_t most_at_once_ = 0;
    seconds last_delayed_{0};
    std::unordered_map<std::int64_t, std::size_t> arrivals_;
};

} // namespace

TEST_CASE(
    "SCL-28: renewals after a day without the CA are spread, and each comes before its certificate ends")
{
    const char* const wanted = std::getenv("ACMETOOL_RENEWALS"); // 1000000 takes longer
    const auto devices = wanted != nullptr ? std::stoul(wanted) : 10'000UL;
    // The CA is away on the very day on which all renew for the first time. It takes as many orders as come
    // on such a day, and a third more.
    const auto first_day = RenewalWorld::kLife * 2 / 3;
    const auto rate = static_cast<std::int64_t>(devices) * 4 / 3 / (24 * 60);
    RenewalWorld world{devices, rate, first_day, first_day + 24h};
    const auto end = first_day * 4;
    world.run(end);
    CAPTURE(world.refused());
    CAPTURE(world.most_at_once());
    CHECK(world.missed() == 0);
    CHECK(world.renewed() >= devices * 3); // in the time of four renewals
    // Not all at once: what the relay says is a rate, whose waits are spread. Its queue is an hour: where
    // more than an hour's turns wait, more come in a second.
    const auto turns = std::max<std::size_t>(ra::Turns::kPerSecond, devices / 3600);
    CHECK(world.most_at_once() <= 3 * turns);
    // The storm of that day is over two days later, and none follows it.
    CHECK(world.last_delayed() < first_day + 72h);
}
