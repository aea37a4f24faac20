#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "../ra/fixture.h"
#include "ca/records.h"
#include "ca/service.h"
#include "store/sqlite.h"

using namespace acmetool;
using namespace acmetool::test;
using base::Json;
using ca::Records;

namespace
{

/// The ids of the orders of "a", in their order.
std::string order_of(Records& records)
{
    std::string text;
    const auto ids = records.ids("order", "a", 0, 100);
    REQUIRE(ids);
    for (const auto& id : *ids)
        text += id + " ";
    return text;
}

Result<void> put(store::Database& database, Records& records, const std::string& id)
{
    ACMETOOL_CHECK(database.begin());
    ACMETOOL_CHECK(records.put("order", id, "a", "", {{"status", "pending"}}));
    ACMETOOL_CHECK(records.keep());
    return database.commit();
}

} // namespace

TEST_CASE("CA: a database of the first version is converted and keeps its order")
{
    const Folder folder;
    const auto file = folder / "acme-ca.db";
    {
        const auto old = *store::Sqlite::open(file);
        for (const auto* sql :
             {"CREATE TABLE objects (kind TEXT NOT NULL, id TEXT NOT NULL, account TEXT NOT NULL, key TEXT "
              "NOT "
              "NULL, object TEXT NOT NULL, UNIQUE (kind, id))",
              "CREATE INDEX objects_by_key ON objects (kind, account, key)",
              "CREATE INDEX objects_by_key_alone ON objects (kind, key)",
              "INSERT INTO objects VALUES ('order', 'z', 'a', '', '{\"status\":\"valid\"}')",
              "INSERT INTO objects VALUES ('certificate', 'c', 'a', '0f', '{\"serial\":\"0f\"}')",
              "INSERT INTO objects VALUES ('order', 'b', 'a', '', '{}')",
              "INSERT INTO objects VALUES ('order', 'y', 'a', '', '{}')"})
            REQUIRE(old->execute(sql));
    }
    {
        const auto database = *Records::open(file);
        Records records{*database};
        CHECK(order_of(records) == "z b y ");
        CHECK(**records.get("order", "z") == Json{{"status", "valid"}});
        REQUIRE(put(*database, records, "k"));
        REQUIRE(put(*database, records, "z")); // keeps its place
        CHECK(order_of(records) == "z b y k ");
        CHECK(database->execute("SELECT name FROM sqlite_schema WHERE name = 'objects'")->empty());
    }
    const auto database = *Records::open(file);
    Records records{*database};
    REQUIRE(put(*database, records, "c"));
    CHECK(order_of(records) == "z b y k c ");
    std::vector<Json> issued;
    REQUIRE(ca::Service::each_certificate(file, [&](Json one) -> Result<void> {
        issued.push_back(std::move(one));
        return {};
    }));
    CHECK(issued.at(0).at("serial") == "0f");
}

TEST_CASE("CA: a request's changes are kept or discarded inside the transaction of several")
{
    const Folder folder;
    const auto database = *Records::open(folder / "acme-ca.db");
    Records records{*database};
    REQUIRE(database->begin());
    REQUIRE(records.put("order", "1", "a", "", Json::object()));
    REQUIRE(records.keep());
    REQUIRE(records.put("order", "2", "a", "", Json::object()));
    REQUIRE(records.put("order", "1", "a", "", {{"status", "invalid"}}));
    REQUIRE(records.discard());
    REQUIRE(records.put("order", "3", "a", "", Json::object()));
    REQUIRE(records.keep());
    const ca::CommittedRecords committed{*database->reopen()};
    CHECK_FALSE(committed.get("order", "1")->has_value());
    REQUIRE(database->commit());
    CHECK(order_of(records) == "1 3 ");
    CHECK(**committed.get("order", "1") == Json::object());
    CHECK(records.ids("order", "a", 1, 1)->front() == "3");
}
