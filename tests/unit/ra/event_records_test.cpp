#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "../store/server.h"
#include "fixture.h"
#include "former_tables.h"
#include "ra/event_records.h"
#include "ra/records.h"

using namespace acmetool;
using ra::EventFilter;

namespace
{

ra::EventTime second(int number)
{
    return ra::EventTime{std::chrono::seconds{1'800'000'000 + number}};
}

ra::Event event(int at, const std::string& who, const std::string& request_id,
                const std::string& what = "decision")
{
    ra::Event event;
    event.at = second(at);
    event.number = 7;
    event.what = what;
    event.who = who;
    event.device = who.empty() ? "" : who + "@maker";
    event.request_id = request_id;
    event.details = "{}";
    return event;
}

std::string seconds_of(const Result<std::vector<ra::Event>>& events)
{
    REQUIRE_MESSAGE(events, events.error().message);
    std::string text;
    for (const auto& one : *events)
        text += std::to_string((one.at - second(0)) / std::chrono::seconds{1}) + " ";
    return text;
}

void look_at_events(store::Database& database)
{
    ra::EventRecords records{database};
    auto first = event(1, "d1", "r1");
    first.level = base::Level::warning;
    first.outcome = "refused";
    first.cause = "forbidden";
    first.text = "not in the \"inventory\"";
    first.hint = "add it";
    first.protocol = "est";
    first.address = "192.0.2.1";
    first.station = "0011223344aa";
    first.relay = "one";
    first.times = 3;
    first.details = R"({"label":"x"})";
    REQUIRE(records.put(first));
    REQUIRE(records.put(first)); // a commit that was looked up wrongly: the same row
    REQUIRE(records.put(event(2, "", "r1", "order")));
    REQUIRE(records.put(event(3, "d2", "r3")));
    REQUIRE(records.put(event(4, "", "r4", "order")));
    auto claims = event(5, "d1", "r5");
    claims.device.clear();
    claims.level = base::Level::error;
    claims.cause = "forbidden";
    REQUIRE(records.put(claims));
    auto other = event(6, "d1", "r6");
    other.device = "d1@other";
    REQUIRE(records.put(other));

    CHECK(seconds_of(records.list({})) == "6 5 4 3 2 1 ");
    // All columns come back.
    EventFilter only;
    only.request_id = "r1";
    only.oldest_first = true;
    const auto back = records.list(only);
    CHECK(seconds_of(back) == "1 2 ");
    const auto& same = back->front();
    CHECK(same.number == 7);
    CHECK(same.level == base::Level::warning);
    CHECK(same.what + same.outcome + same.cause == "decisionrefusedforbidden");
    CHECK(same.text == first.text);
    CHECK(same.hint + same.protocol + same.device + same.who == "add itestd1@makerd1");
    CHECK(same.address + same.station + same.relay == "192.0.2.10011223344aaone");
    CHECK(same.times == 3);
    CHECK(same.details == first.details);
    // With what the CA said to its requests, and what others claimed; not what is another device's.
    EventFilter of_device;
    of_device.who = "d1";
    CHECK(seconds_of(records.list(of_device)) == "6 5 2 1 ");
    of_device.device = "d1@maker";
    CHECK(seconds_of(records.list(of_device)) == "5 2 1 ");
    of_device.limit = 2;
    const auto page = records.list(of_device);
    CHECK(seconds_of(page) == "5 2 ");
    of_device.before = EventFilter::Place{page->back().at, page->back().number};
    CHECK(seconds_of(records.list(of_device)) == "1 ");
    EventFilter of_station;
    of_station.station = "0011223344aa";
    CHECK(seconds_of(records.list(of_station)) == "1 ");
    CHECK(records.devices_at("0011223344aa").value_or(std::vector<std::string>{}) ==
          std::vector<std::string>{"d1@maker"});
    EventFilter bad;
    bad.least = base::Level::warning;
    CHECK(seconds_of(records.list(bad)) == "5 1 ");
    bad.since = second(2);
    CHECK(seconds_of(records.list(bad)) == "5 ");
    const auto causes = records.causes(second(0));
    REQUIRE(causes);
    REQUIRE(causes->size() == 2);
    CHECK(causes->front().outcome == "refused");
    CHECK(causes->front().times == 3);
    CHECK(causes->back().last == second(5));

    CHECK(records.purge(second(3)).value_or(false));
    CHECK(seconds_of(records.list({})) == "6 5 4 3 ");
    for (int i = 0; i < 500; ++i)
        REQUIRE(records.put(event(100 + i, "d3", "")));
    CHECK_FALSE(records.purge(second(10'000)).value_or(true));
    CHECK(records.purge(second(10'000)).value_or(false));
    CHECK(records.list({})->empty());
}

} // namespace

TEST_CASE("OPR-09: events come back by device, request, station, level and time, and are purged (SQLite)")
{
    const test::Folder folder;
    store::Options options;
    options.sqlite = folder / "relay.db";
    const auto database = ra::Records::open(options);
    REQUIRE(database);
    look_at_events(**database);
}

TEST_CASE("OPR-09: events come back by device, request, station, level and time, and are purged (PostgreSQL)")
{
    const auto options = test::new_database("events");
    if (!options) return;
    {
        const auto empty = store::open_database(*options);
        REQUIRE(empty);
        REQUIRE(ra::Records::prepare(**empty));
    }
    const auto database = ra::Records::open(*options);
    REQUIRE(database);
    look_at_events(**database);
}

TEST_CASE("OPR-09: times of events have milliseconds")
{
    CHECK(ra::to_rfc3339(second(0) + std::chrono::microseconds{70'999}) == "2027-01-15T08:00:00.070Z");
}

TEST_CASE("OPR-10: tables without events get them, in a file when it is opened")
{
    const test::Folder folder;
    store::Options options;
    options.sqlite = folder / "relay.db";
    {
        const auto database = ra::Records::open(options);
        REQUIRE(database);
        REQUIRE((*database)->execute("INSERT INTO blocked VALUES ('d1', 1)"));
        test::remove_numbers(**database);
        REQUIRE((*database)->execute("DROP TABLE events"));
        REQUIRE((*database)->execute("PRAGMA user_version=5"));
    }
    const auto database = ra::Records::open(options);
    REQUIRE_MESSAGE(database, database.error().message);
    CHECK((*database)->version().value_or(0) == 8);
    CHECK((*database)->execute("SELECT device FROM blocked")->size() == 1);
    CHECK(ra::EventRecords{**database}.put(event(1, "d1", "r1")));
}

TEST_CASE(
    "OPR-10: tables without events get them, on a server by an upgrade, while a relay of before goes on")
{
    const auto options = test::new_database("events");
    if (!options) return;
    const auto former = store::open_database(*options);
    REQUIRE(former);
    REQUIRE(ra::Records::prepare(**former));
    test::remove_numbers(**former);
    REQUIRE((*former)->execute("DROP TABLE events"));
    REQUIRE((*former)->execute("UPDATE store_schema SET version = 5"));
    const auto refused = ra::Records::open(*options);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().reason.word() == "storeVersion");
    CHECK(refused.error().hint.find("store upgrade") != std::string::npos);
    {
        const auto owner = store::open_database(*options);
        REQUIRE(owner);
        const auto done = ra::Records::prepare(**owner);
        REQUIRE_MESSAGE(done, done.error().message);
    }
    const auto database = ra::Records::open(*options);
    REQUIRE_MESSAGE(database, database.error().message);
    CHECK(ra::EventRecords{**database}.put(event(1, "d1", "r1")));
    CHECK(ra::Records{**former}.block("d1", {}));
}
