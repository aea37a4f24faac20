#include <doctest/doctest.h>

#include <string>
#include <thread>
#include <vector>

#include "../store/server.h"
#include "fixture.h"
#include "former_tables.h"
#include "ra/device_records.h"
#include "store/open_database.h"

using namespace acmetool;
using namespace acmetool::test;

namespace
{

base::TimePoint at_second(int number)
{
    return base::TimePoint{std::chrono::seconds{1'800'000'000 + number}};
}

ra::OrderRow order_at(const std::string& device, const std::string& id, int at, ra::OrderState state)
{
    ra::OrderRow row;
    row.id = id;
    row.device = {device + "@maker", device};
    row.state = state;
    row.created = at_second(at);
    row.until = at_second(at + 3000);
    return row;
}

void put_order(store::Database& database, const ra::OrderRow& row)
{
    const auto done = ra::Records{database}.put(row);
    REQUIRE_MESSAGE(done, done.error().message);
}

void change_order(store::Database& database, const std::string& id, ra::OrderState state, int at)
{
    ra::Records records{database};
    const auto row = records.order_to_change(id);
    REQUIRE(row);
    REQUIRE(*row);
    auto changed = **row;
    changed.state = state;
    changed.created = at_second(at);
    put_order(database, changed);
}

/// A store of the version before.
store::Options former_file(const Folder& folder, const std::vector<ra::OrderRow>& orders)
{
    store::Options options;
    options.sqlite = folder / "relay.db";
    const auto former = ra::Records::open(options);
    REQUIRE(former);
    for (const auto& order : orders)
        put_order(**former, order);
    remove_numbers(**former);
    REQUIRE((*former)->execute("PRAGMA user_version=7"));
    return options;
}

/// "failed 1, issued 2; d1 failed": the counts, and the devices by state.
std::string standings(store::Database& database, base::TimePoint since = {})
{
    ra::DeviceRecords records{database};
    const auto counts = records.count(since, at_second(1));
    REQUIRE_MESSAGE(counts, counts.error().message);
    ra::DeviceFilter filter;
    filter.since = since;
    const auto listed = records.list(filter, at_second(1));
    REQUIRE_MESSAGE(listed, listed.error().message);
    std::string text;
    for (const auto& [standing, count] : *counts)
        text += std::string{name_of(standing)} + " " + std::to_string(count) + " ";
    text += ";";
    for (const auto& device : *listed)
        text += " " + device.device.serial + " " + std::string{name_of(device.standing)};
    return text;
}

std::string newest_of(store::Database& database, const std::string& device)
{
    const auto orders = ra::DeviceRecords{database}.orders(device + "@maker", 5);
    REQUIRE_MESSAGE(orders, orders.error().message);
    REQUIRE_FALSE(orders->empty());
    return orders->front().id;
}

void look_at_order(store::Database& database)
{
    using ra::OrderState;
    // Whatever their identifiers are.
    for (const auto* const names : {"ab", "ba"}) {
        CAPTURE(names);
        REQUIRE(database.execute("DELETE FROM orders"));
        const std::string first(1, names[0]);
        const std::string second(1, names[1]);
        put_order(database, order_at("d1", first, 0, OrderState::intent));
        change_order(database, first, OrderState::issued, 0);
        CHECK(standings(database) == "issued 1 ; d1 issued");
        put_order(database, order_at("d1", second, 0, OrderState::placed));
        CHECK(standings(database) == "pending 1 ; d1 pending");
        change_order(database, second, OrderState::failed, 0);
        CHECK(standings(database) == "failed 1 ; d1 failed");
        CHECK(newest_of(database, "d1") == second);
        // Its end does not make an order newer than one that was placed after it.
        put_order(database, order_at("d2", first + "2", 0, OrderState::placed));
        put_order(database, order_at("d2", second + "2", 0, OrderState::placed));
        change_order(database, first + "2", OrderState::issued, 0);
        CHECK(newest_of(database, "d2") == second + "2");
        // The clock was set back.
        put_order(database, order_at("d3", first + "3", 500, OrderState::issued));
        put_order(database, order_at("d3", second + "3", 0, OrderState::failed));
        CHECK(newest_of(database, "d3") == second + "3");
        CHECK(standings(database, at_second(400)) == ";");
        // A new try of an old order.
        put_order(database, order_at("d3", "third", 600, OrderState::issued));
        change_order(database, second + "3", OrderState::placed, 0);
        CHECK(standings(database) == "pending 2 failed 1 ; d1 failed d2 pending d3 pending");
        CHECK(newest_of(database, "d3") == second + "3");
        // Two relays have given one number at the same time.
        REQUIRE(database.execute("UPDATE orders SET number = 7, created = 1800000000"));
        const auto each_once = ra::DeviceRecords{database}.list({}, at_second(1));
        REQUIRE(each_once);
        CHECK(each_once->size() == 3);
        // Nor do the times of certificates decide which is the newer one.
        REQUIRE(database.execute("DELETE FROM certificates"));
        for (const auto& digest : {first, second}) {
            ra::CertificateRow certificate;
            certificate.digest = digest;
            certificate.device = {"d4@maker", "d4"};
            certificate.not_before = certificate.not_after = at_second(0);
            REQUIRE(ra::Records{database}.put(certificate));
            auto row = order_at("d4", digest + "4", 0, OrderState::issued);
            row.certificate = digest;
            put_order(database, row);
        }
        const auto certificates = ra::DeviceRecords{database}.certificates("d4@maker", 5);
        REQUIRE_MESSAGE(certificates, certificates.error().message);
        REQUIRE(certificates->size() == 2);
        CHECK(certificates->front().certificate.digest == second);
    }
}

} // namespace

TEST_CASE("OPR-39: the newest order of a device is the one that began or failed last, by no clock")
{
    const Folder folder;
    store::Options options;
    options.sqlite = folder / "relay.db";
    const auto database = ra::Records::open(options);
    REQUIRE(database);
    look_at_order(**database);
}

TEST_CASE("OPR-39: the newest order of a device, in PostgreSQL")
{
    const auto options = new_database("orders");
    if (!options) return;
    REQUIRE(ra::Records::prepare(**store::open_database(*options)));
    const auto database = ra::Records::open(*options);
    REQUIRE(database);
    look_at_order(**database);
}

TEST_CASE("OPR-39: orders of a file without numbers get them by time")
{
    const Folder folder;
    const auto options = former_file(folder, {order_at("d1", "b", 2, ra::OrderState::failed),
                                              order_at("d1", "a", 1, ra::OrderState::issued),
                                              order_at("d2", "c", 1, ra::OrderState::issued)});
    const auto database = ra::Records::open(options);
    REQUIRE_MESSAGE(database, database.error().message);
    CHECK(standings(**database) == "failed 1 issued 1 ; d1 failed d2 issued");
    CHECK(newest_of(**database, "d1") == "b");
    put_order(**database, order_at("d1", "0", 2, ra::OrderState::placed));
    CHECK(newest_of(**database, "d1") == "0");
    // A relay of the version before goes on meanwhile, and this version replaces it.
    put_order(**database, order_at("d1", "1", 3, ra::OrderState::failed));
    REQUIRE((*database)->execute("UPDATE orders SET number = 0 WHERE id = '1'"));
    const auto relay = ra::Records::open(options, store::Use::owning);
    REQUIRE_MESSAGE(relay, relay.error().message);
    CHECK(newest_of(**relay, "d1") == "1");
}

TEST_CASE("OPR-39: several programs open a file without numbers at the same time")
{
    const Folder folder;
    const auto options = former_file(folder, {order_at("d1", "a", 1, ra::OrderState::issued)});
    std::vector<std::string> errors(8);
    {
        std::vector<std::jthread> programs;
        for (auto& error : errors)
            programs.emplace_back([&error, &options] {
                const auto database = ra::Records::open(options);
                if (!database) error = database.error().message;
            });
    }
    for (const auto& error : errors)
        CHECK(error == "");
}

TEST_CASE(
    "OPR-39: an upgrade numbers the orders on a server, and again those of relays of the version before")
{
    const auto options = new_database("orders");
    if (!options) return;
    const auto former = store::open_database(*options);
    REQUIRE(former);
    REQUIRE(ra::Records::prepare(**former));
    put_order(**former, order_at("d1", "a", 1, ra::OrderState::issued));
    remove_numbers(**former);
    REQUIRE((*former)->execute("UPDATE store_schema SET version = 7"));
    const auto upgrade = [&options] {
        const auto owner = store::open_database(*options);
        REQUIRE(owner);
        REQUIRE(ra::Records::prepare(**owner));
        REQUIRE(ra::Records::number_orders(**owner));
    };
    upgrade();
    const auto database = ra::Records::open(*options);
    REQUIRE_MESSAGE(database, database.error().message);
    put_order(**database, order_at("d2", "b", 1, ra::OrderState::issued));
    // Which such a relay does not number.
    put_order(**database, order_at("d1", "c", 2, ra::OrderState::failed));
    REQUIRE((*database)->execute("UPDATE orders SET number = 0 WHERE id = 'c'"));
    CHECK(newest_of(**database, "d1") == "a");
    upgrade();
    CHECK(newest_of(**database, "d1") == "c");
    CHECK(standings(**database) == "failed 1 issued 1 ; d1 failed d2 issued");
}
