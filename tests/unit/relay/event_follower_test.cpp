#include "relay/event_follower.h"

#include <doctest/doctest.h>
#include <fmt/core.h>

#include "../ra/fixture.h"
#include "ra/records.h"

using namespace acmetool;
using namespace std::chrono_literals;

namespace
{

/// A store, a follower that reads three at a time, and a clock.
struct Followed {
    Followed()
    {
        store::Options store;
        store.sqlite = folder / "relay.db";
        database = ra::Records::open(store).value();
    }
    /// `milliseconds`: after the beginning.
    void put(int number, std::chrono::milliseconds when, const std::string& device = "d@maker")
    {
        ra::Event event;
        event.at = ra::EventTime{start} + when;
        event.number = number;
        event.what = "order";
        event.device = device;
        event.who = device;
        event.details = "{}";
        REQUIRE(ra::EventRecords{*database}.put(event));
    }
    std::string look()
    {
        std::string text;
        REQUIRE(follower->look(start + passed, [&text](const auto& events) {
            for (const auto& event : events)
                text += fmt::format("{} ", event.number);
            return Result<void>{};
        }));
        return text;
    }
    void begin(ra::EventFilter filter = {})
    {
        follower.emplace(*database, std::move(filter), 3);
        REQUIRE(follower->begin(start + passed));
    }

    const base::TimePoint start = base::now();
    std::chrono::seconds passed{0};
    test::Folder folder;
    std::unique_ptr<store::Database> database;
    std::optional<relay::EventFollower> follower;
};

} // namespace

TEST_CASE("OPR-55: whoever follows events sees all of a burst, and what comes after it")
{
    Followed followed;
    followed.begin();
    CHECK(followed.look().empty());
    for (int i = 1; i <= 10; ++i)
        followed.put(i, std::chrono::milliseconds{i / 4}); // several have one time
    CHECK(followed.look() == "1 2 3 4 5 6 7 8 9 10 ");
    CHECK(followed.look().empty());
    followed.put(11, 10ms);
    followed.put(12, 5ms); // of another relay, which writes later
    CHECK(followed.look() == "12 11 ");
    followed.passed = 40s;
    for (int i = 13; i <= 20; ++i)
        followed.put(i, 40s);
    CHECK(followed.look() == "13 14 15 16 17 18 19 20 ");
    CHECK(followed.look().empty());
}

TEST_CASE("OPR-55: whoever follows events is not told what was there, of a device also")
{
    Followed followed;
    for (int i = 1; i <= 10; ++i)
        followed.put(i, 0ms, i % 2 == 0 ? "even@maker" : "odd@maker");
    ra::EventFilter filter;
    SUBCASE("of all")
    {
        followed.begin(filter);
        followed.put(11, 1ms);
        CHECK(followed.look() == "11 ");
    }
    SUBCASE("of one")
    {
        filter.who = filter.device = "odd@maker";
        followed.begin(filter);
        for (int i = 11; i <= 20; ++i)
            followed.put(i, 1ms, i % 2 == 0 ? "even@maker" : "odd@maker");
        CHECK(followed.look() == "11 13 15 17 19 ");
    }
}

TEST_CASE("OPR-55: events of a relay whose clock is fast do not hide those of others")
{
    Followed followed;
    followed.begin();
    followed.put(1, 10min);
    CHECK(followed.look() == "1 ");
    followed.passed = 1s;
    followed.put(2, 1s);
    CHECK(followed.look() == "2 ");
    CHECK(followed.look().empty());
}
