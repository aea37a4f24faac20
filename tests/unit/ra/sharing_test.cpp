#include <doctest/doctest.h>

#include <algorithm>

#include <nlohmann/json.hpp>

#include "../store/server.h"
#include "fixture.h"
#include "ra/records.h"
#include "store/members.h"
#include "store/open_database.h"

using namespace acmetool;
using namespace acmetool::test;

namespace
{

/// Relays on one database, each with an issuer of its own.
struct SharedLab {
    explicit SharedLab(const store::Options& options)
    {
        REQUIRE(ra::Records::prepare(**store::open_database(options)));
        one.options.store = options;
        two.options.store = options;
        one.options.store.instance = "one";
        two.options.store.instance = "two";
        one.options.store.lease = two.options.store.lease = 12s; // also where one has to wait for its turn
    }
    bool know_each_other() const
    {
        const auto knows = [](const Lab& lab) {
            return comes_true([&lab] { return lab.engine->status()["relays"].size() == 2; });
        };
        return knows(one) && knows(two);
    }

    Lab one;
    Lab two;
};

bool hears_of(Lab& lab, const std::string& ca)
{
    return comes_true([&] {
        const auto hold = lab.board->last_hold();
        return hold && hold->ca == ca;
    });
}

} // namespace

TEST_CASE(
    "SCL-26: what the CA told one relay to wait is known to those that are there, and to those that start")
{
    const auto store = new_database("ra_hold");
    if (!store) return;
    SharedLab labs{*store};
    labs.one.open();
    labs.two.open();
    const auto left = [](Lab& lab) { return lab.board->last_hold()->life; };
    labs.one.board->host->held("https://ca.example/directory", 600s);
    REQUIRE(hears_of(labs.two, "https://ca.example/directory"));
    CHECK(left(labs.two) > 450s);
    CHECK(left(labs.two) <= 600s);
    CHECK(labs.two.board->last_hold()->told == "one");
    // One that starts meanwhile; and a shorter time that another one is told changes nothing.
    labs.two.engine.reset();
    labs.two.board->holds.clear();
    labs.one.board->host->held("https://ca.example/directory", 5s);
    labs.two.open();
    REQUIRE(hears_of(labs.two, "https://ca.example/directory"));
    CHECK(left(labs.two) > 300s);
    // Another CA has another time. One that is over is told to nobody.
    labs.two.board->holds.clear();
    labs.one.board->host->held("https://ca.example/over", 0s);
    labs.one.board->host->held("https://other.example/directory", 900s);
    REQUIRE(comes_true([&] {
        const std::lock_guard lock{labs.two.board->mutex};
        return std::any_of(labs.two.board->holds.begin(), labs.two.board->holds.end(),
                           [](const auto& hold) { return hold.life > 800s; });
    }));
    const std::lock_guard lock{labs.two.board->mutex};
    CHECK(std::none_of(labs.two.board->holds.begin(), labs.two.board->holds.end(),
                       [](const auto& hold) { return hold.ca == "https://ca.example/over"; }));
}

TEST_CASE("SCL-27: with two relays, each tells half as many to come again in a second")
{
    const auto store = new_database("ra_turns");
    if (!store) return;
    SharedLab labs{*store};
    labs.one.open();
    labs.two.open();
    REQUIRE(labs.know_each_other());
    labs.one.board->failure = fail(Errc::unavailable, "the CA is away").value();
    for (int i = 0; i < 300; ++i) {
        const auto serial = "sn-" + std::to_string(i);
        REQUIRE(Lab::word(labs.one.enrol(Lab::request(labs.one.maker.idevid(serial),
                                                      Lab::csr(labs.one.key, {serial + ".domain.com"})))) ==
                "unavailable");
    }
    const auto rows =
        (*store::open_database(*store))->execute("SELECT MAX(until - created) FROM orders WHERE state = 3");
    REQUIRE(rows.has_value());
    const auto longest = store::number_of(rows->front().front());
    // Of 50 a second, the last one's turn is after 36 s; of 25, after 42. Each is spread by a fifth.
    CHECK(longest > 43);
    CHECK(longest <= 51);
}

TEST_CASE(
    "SCL-43: the orders of relays that ended long ago are taken over, of those that come back and of one "
    "that never does")
{
    const auto store = new_database("ra_ended_long_ago");
    if (!store) return;
    SharedLab labs{*store};
    for (auto* lab : {&labs.one, &labs.two}) {
        lab->options.wait = 0s;
        lab->board->hold = true;
    }
    const auto database = *store::open_database(*store);
    const auto order = [](Lab& lab, const std::string& serial) {
        return Lab::word(
            lab.enrol(Lab::request(lab.maker.idevid(serial), Lab::csr(lab.key, {serial + ".domain.com"}))));
    };
    const auto open_of_living = [&database] {
        const auto rows = database->execute("SELECT COUNT(*) FROM orders WHERE state < 2 AND " +
                                            store::Members::is_alive(*database, "owner"));
        return store::number_of(rows->front().front());
    };
    const auto pass_two_hours = [&database] {
        REQUIRE(database->execute("UPDATE members SET lease_until = lease_until - 7200"));
    };
    labs.one.open();
    labs.two.open();
    CHECK(order(labs.one, "sn-1") == "pending");
    CHECK(order(labs.two, "sn-2") == "pending");
    // All relays end, and one of them comes back.
    labs.one.engine.reset();
    labs.two.engine.reset();
    pass_two_hours();
    labs.one.open();
    CHECK(comes_true([&] { return labs.one.board->count() == 1 + 2; }));
    CHECK(open_of_living() == 2);
    labs.two.open();
    CHECK(order(labs.two, "sn-3") == "pending");
    REQUIRE(labs.know_each_other());
    // The database was away.
    pass_two_hours();
    CHECK(comes_true([&] { return open_of_living() == 3; }));
}

TEST_CASE(
    "SCL-44: orders without an owner, as store copy brings them, are given to one relay, which ends them")
{
    const auto store = new_database("ra_without_owner");
    if (!store) return;
    SharedLab labs{*store};
    for (auto* lab : {&labs.one, &labs.two}) {
        lab->options.wait = 0s;
        lab->board->hold = true;
    }
    labs.one.open();
    for (const auto* const serial : {"sn-1", "sn-2"})
        REQUIRE(Lab::word(labs.one.enrol(Lab::request(
                    labs.one.maker.idevid(serial),
                    Lab::csr(labs.one.key, {std::string{serial} + ".domain.com"})))) == "pending");
    labs.one.engine.reset();
    labs.one.board->started.clear();
    const auto database = *store::open_database(*store);
    REQUIRE(database->execute("UPDATE orders SET owner = ''"));
    REQUIRE(database->execute("DELETE FROM members"));
    labs.one.open();
    labs.two.open();
    REQUIRE(labs.know_each_other());
    const auto driven = [&labs] { return labs.one.board->count() + labs.two.board->count(); };
    REQUIRE(comes_true([&] { return driven() >= 2; }));
    // Whoever has it can place it, and say that it failed.
    for (auto* lab : {&labs.one, &labs.two}) {
        std::vector<ra::IssuerOrder> started;
        {
            const std::lock_guard lock{lab->board->mutex};
            started = lab->board->started;
        }
        for (auto& order : started) {
            order.url = "https://ca.example/order/" + order.id.substr(0, 8);
            std::promise<bool> stored;
            lab->board->host->placed(order, [&stored](bool is_ours) { stored.set_value(is_ours); });
            CHECK(stored.get_future().get());
            lab->board->host->failed(order.id, fail(Errc::refused, "the CA refused it").value(), true);
        }
    }
    CHECK(comes_true(
        [&database] { return database->execute("SELECT 1 FROM orders WHERE state = 3")->size() == 2; }));
    CHECK(driven() == 2);
}
