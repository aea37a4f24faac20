#include "relay/event_keeper.h"

#include <algorithm>
#include <future>

#include <doctest/doctest.h>
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "../ra/fixture.h"
#include "ra/event_records.h"
#include "ra/records.h"
#include "relay/event_row.h"

using namespace acmetool;
using namespace std::chrono_literals;
using base::Json;

namespace
{

/// A store, its writer, and a keeper whose clock stands until it is set.
struct Kept {
    explicit Kept(std::chrono::milliseconds delay = 1s, bool begins = true)
    {
        store.sqlite = folder / "relay.db";
        auto database = ra::Records::open(store);
        REQUIRE(database);
        commits = std::make_shared<store::GroupCommit>(std::move(*database), "store");
        relay::EventKeeper::Options options;
        options.relay = "one";
        options.delay = delay;
        options.clock = [this] { return clock.load(); };
        keeper = std::make_unique<relay::EventKeeper>(std::move(options));
        if (begins) keeper->begin(commits);
    }
    std::vector<ra::Event> rows()
    {
        keeper->finish();
        commits->stop();
        auto database = ra::Records::open(store);
        REQUIRE(database);
        ra::EventFilter all;
        all.oldest_first = true;
        all.limit = 100'000;
        return ra::EventRecords{**database}.list(all).value();
    }

    test::Folder folder;
    store::Options store;
    std::atomic<relay::EventKeeper::Clock::time_point> clock{relay::EventKeeper::Clock::now()};
    std::shared_ptr<store::GroupCommit> commits;
    std::unique_ptr<relay::EventKeeper> keeper;
};

Json refused(const std::string& device, const std::string& request_id)
{
    return {{"event", "decision"},      {"level", "warning"}, {"device", device},
            {"request_id", request_id}, {"address", "::1"},   {"decision", "refused"},
            {"reason", "forbidden"},    {"text", "no"}};
}

Json stranger(const std::string& address, int number)
{
    return {{"event", "decision"},
            {"level", "warning"},
            {"device", ""},
            {"client", fmt::format("serialNumber=s{},CN=x serial 01", number)},
            {"request_id", fmt::format("r{}", number)},
            {"address", address},
            {"decision", "refused"},
            {"reason", "unauthenticated"}};
}

/// Cause and number of each row about events that were dropped.
std::string dropped_in(const std::vector<ra::Event>& rows)
{
    std::string text;
    for (const auto& row : rows)
        if (row.what == "events") text += fmt::format("{} {} {}; ", row.outcome, row.cause, row.times);
    return text;
}

} // namespace

TEST_CASE("OPR-09: an event of each kind as a row")
{
    const auto row = relay::to_row(Json{{"event", "decision"},
                                        {"level", "warning"},
                                        {"device", "d%401@" + std::string(64, 'a')},
                                        {"request_id", "r1"},
                                        {"address", "192.0.2.1"},
                                        {"decision", "refused"},
                                        {"protocol", "est"},
                                        {"reason", "forbidden"},
                                        {"csrSha256", "00"},
                                        {"identifiers", {"a.example", "b\x1b.example"}},
                                        {"text", "no\x1b[31m"}});
    CHECK(row.what + " " + row.outcome + " " + row.cause == "decision refused forbidden");
    CHECK(row.who == "d@1");
    CHECK(row.level == base::Level::warning);
    CHECK(row.text.find('\x1b') == std::string::npos);
    const auto details = Json::parse(row.details);
    CHECK(details.size() == 1);
    CHECK(details["identifiers"].size() == 2);
    CHECK(details["identifiers"][1].get<std::string>().find('\x1b') == std::string::npos);

    const auto failed = relay::to_row(Json{{"event", "order"},
                                           {"level", "warning"},
                                           {"device", "user:joe"},
                                           {"nextTry", "2026-12-01T00:00:00Z"},
                                           {"text", "the CA refused"},
                                           {"hint", "wait"},
                                           {"problem",
                                            {{"type", "urn:ietf:params:acme:error:rateLimited"},
                                             {"detail", "too many"},
                                             {"subproblems", {{{"type", "x"}}}}}}});
    CHECK(failed.what + " " + failed.outcome + " " + failed.cause == "order failed rateLimited");
    CHECK(failed.who == "user:joe");
    CHECK(failed.hint == "wait");
    CHECK(failed.protocol == "acme");
    CHECK(Json::parse(failed.details)["problem"] ==
          Json{{"type", "urn:ietf:params:acme:error:rateLimited"}, {"detail", "too many"}});

    const auto dropped = relay::to_row(Json{{"event", "radius"},
                                            {"level", "warning"},
                                            {"decision", "drop"},
                                            {"cause", "message_authenticator"},
                                            {"times", 4U}});
    CHECK(dropped.outcome + " " + dropped.cause == "drop message_authenticator");
    CHECK(dropped.times == 4);
    const auto let_in =
        relay::to_row(Json{{"event", "teap"}, {"decision", "accept"}, {"station", "02-00-5E-10-00-aB:net"}});
    CHECK(let_in.station == "02005e1000ab");
    CHECK(relay::to_row(stranger("::1", 5)).who == "s5");
    CHECK(relay::to_row(Json{{"event", "request"}, {"client", "CN=x\\,serialNumber=no serial 01"}}).who !=
          "no");

    // Whatever a peer sends: a row is small.
    Json large{
        {"event", "request"}, {"text", std::string(100'000, 'x')}, {"client", std::string(100'000, 'y')}};
    for (int i = 0; i < 1000; ++i)
        large["identifiers"].push_back(std::string(1000, 'z'));
    const auto cut = relay::to_row(large);
    CHECK(cut.text.size() < 1100);
    CHECK(cut.details.size() < 6000);
}

TEST_CASE("OPR-09: MAC addresses in each form")
{
    for (const auto* text : {"02-00-5E-10-00-AB", "02:00:5e:10:00:ab", "0200.5e10.00ab", "02005E1000AB",
                             "02-00-5E-10-00-AB:network"})
        CHECK(relay::station_of(text) == "02005e1000ab");
    for (const auto* text : {"", "02-00-5E-10-00", "phone", "02 00 5E 10 00 AB"})
        CHECK(relay::station_of(text).empty());
}

TEST_CASE("OPR-11: what repeats is one row and a number, what is issued a row each time")
{
    Kept kept;
    for (int i = 0; i < 50; ++i) {
        kept.keeper->take(refused("d1@maker", fmt::format("r{}", i)));
        kept.keeper->take({{"event", "decision"}, {"device", "d1@maker"}, {"decision", "issued"}});
    }
    kept.keeper->take(refused("d2@maker", "r"));
    kept.clock = kept.clock.load() + 90s;
    kept.keeper->take(refused("d1@maker", "again"));
    kept.keeper->take(refused("d1@maker", "and again"));
    const auto rows = kept.rows();
    std::string text;
    for (const auto& row : rows)
        if (row.outcome == "refused") text += fmt::format("{} {} {}; ", row.who, row.request_id, row.times);
    CHECK(text == "d1 r0 1; d2 r 1; d1 again 50; d1 and again 1; ");
    CHECK(rows.size() == 54);
    CHECK(rows.front().relay == "one");
    CHECK(kept.keeper->counts().repeated == 50);
    CHECK(kept.keeper->counts().kept == 54);
}

TEST_CASE("OPR-11: a refusal that EST tells again is not a second row")
{
    Kept kept;
    kept.keeper->take(refused("d1@maker", "r1"));
    kept.keeper->take({{"event", "request"}, {"request_id", "r1"}, {"status", 403}, {"address", "::1"}});
    kept.keeper->take({{"event", "request"}, {"request_id", "r2"}, {"status", 400}, {"address", "::1"}});
    kept.keeper->take({{"event", "accounting"}, {"address", "::1"}});
    const auto rows = kept.rows();
    REQUIRE(rows.size() == 2);
    CHECK(rows.back().request_id == "r2");
    CHECK(rows.back().cause == "400");
}

TEST_CASE("OPR-11: strangers cannot fill the store: a limit for each address and for all, and the number of "
          "what is over it")
{
    Kept kept;
    for (int i = 0; i < 1000; ++i)
        kept.keeper->take(stranger("192.0.2.1", i));
    kept.keeper->take(stranger("192.0.2.2", 5000));
    kept.clock = kept.clock.load() + 31s;
    kept.keeper->take(stranger("192.0.2.1", 6000));
    kept.keeper->take(stranger("192.0.2.1", 6001));
    auto counts = kept.keeper->counts();
    CHECK(counts.dropped == 981);
    for (int i = 0; i < 5000; ++i)
        kept.keeper->take(stranger(fmt::format("2001:db8::{:x}", i), 10'000 + i));
    // Who is known is not limited by them.
    for (int i = 0; i < 3000; ++i)
        kept.keeper->take(refused(fmt::format("d{}@maker", i), fmt::format("q{}", i)));
    const auto rows = kept.rows();
    std::uint64_t from_one = 0;
    std::uint64_t known = 0;
    std::uint64_t told = 0;
    for (const auto& row : rows) {
        if (row.address == "192.0.2.1") ++from_one;
        if (!row.device.empty()) ++known;
        if (row.what == "events") told += row.times;
    }
    CHECK(from_one == 21);
    CHECK(known == 3000);
    CHECK(rows.size() < 3000 + 2100);
    CHECK(told == kept.keeper->counts().dropped);
    CHECK(dropped_in(rows) == fmt::format("dropped strangers {}; ", told));
}

TEST_CASE("OPR-11: events wait while the store does not work, a bounded number, and are written when it does")
{
    Kept kept;
    auto other = *ra::Records::open(kept.store);
    REQUIRE(
        other->execute("CREATE TRIGGER full BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'full'); END"));
    for (int i = 0; i < 25'000; ++i)
        kept.keeper->take({{"event", "order"}, {"device", fmt::format("d{}@maker", i)}});
    CHECK(test::comes_true([&] { return kept.commits->problem().has_value(); }));
    CHECK(kept.keeper->counts().kept == 0);
    // What is being written then waits again a moment later.
    CHECK(test::comes_true([&] { return kept.keeper->counts().dropped >= 5000; }));
    CHECK(kept.keeper->counts().dropped == 5000);
    REQUIRE(other->execute("DROP TRIGGER full"));
    const auto rows = kept.rows();
    CHECK(std::count_if(rows.begin(), rows.end(), [](const auto& row) { return row.what == "order"; }) ==
          20'000);
    CHECK(dropped_in(rows) == "dropped storeAway 5000; ");
}

TEST_CASE("OPR-55: what waits is written without a pause as long as it fills a transaction")
{
    Kept kept{1h, false};
    for (int i = 0; i < 1200; ++i)
        kept.keeper->take({{"event", "order"}, {"device", fmt::format("d{}@maker", i)}});
    kept.keeper->begin(kept.commits);
    CHECK(test::comes_true([&] { return kept.keeper->counts().kept >= 1000; }));
    CHECK(kept.rows().size() == 1200);
}

TEST_CASE(
    "OPR-55: events that come faster than the store takes them are not told to be a store's that is away")
{
    Kept kept;
    std::promise<void> gate;
    REQUIRE(kept.commits->worker().post([&gate] { gate.get_future().wait(); }));
    for (int i = 0; i < 25'000; ++i)
        kept.keeper->take({{"event", "order"}, {"device", fmt::format("d{}@maker", i)}});
    for (int i = 0; i < 100; ++i)
        kept.keeper->take(stranger("192.0.2.1", i));
    gate.set_value();
    CHECK(test::comes_true([&] { return kept.keeper->counts().kept >= 20'000; }));
    CHECK(dropped_in(kept.rows()) == "dropped strangers 80; dropped storeSlow 5020; ");
}

TEST_CASE("OPR-11: a keeper that is off takes nothing")
{
    Kept kept;
    kept.keeper->enable(false);
    kept.keeper->take(refused("d1@maker", "r1"));
    CHECK(kept.rows().empty());
}
