#include <filesystem>

#include <doctest/doctest.h>
#include <stdlib.h>

#include "store/sqlite.h"

using namespace acmetool;

TEST_CASE("An empty text and no octets are values, not NULL")
{
    std::string folder = "/tmp/sqlite-test.XXXXXX";
    REQUIRE(mkdtemp(folder.data()) != nullptr);
    {
        auto database = store::Sqlite::open(folder + "/a.db");
        REQUIRE(database);
        REQUIRE(database->run("CREATE TABLE a (words TEXT NOT NULL, octets BLOB NOT NULL)"));
        CHECK(database->execute("INSERT INTO a VALUES (?, ?)", {std::string_view{}, ByteView{}}));
        const auto rows = database->run("SELECT words, octets FROM a");
        REQUIRE(rows);
        CHECK(*rows == std::vector<store::Sqlite::Row>{{"", ""}});
    }
    std::filesystem::remove_all(folder);
}
