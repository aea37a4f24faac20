#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <doctest/doctest.h>
#include <fmt/core.h>
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

TEST_CASE("Another program that opens and closes the database takes nothing from the two connections here")
{
    std::string folder = "/tmp/sqlite-test.XXXXXX";
    REQUIRE(mkdtemp(folder.data()) != nullptr);
    const auto path = folder + "/a.db";
    {
        auto writer = store::Sqlite::open(path);
        REQUIRE(writer);
        REQUIRE(writer->run("CREATE TABLE a (n INTEGER)"));
        auto reader = store::Sqlite::open(path);
        REQUIRE(reader);
        const auto other = fmt::format("sqlite3 {} 'SELECT count(*) FROM a' >{}/count", path, folder);
        REQUIRE(std::system(other.c_str()) == 0);
        CHECK(std::filesystem::exists(path + "-wal"));
        REQUIRE(writer->run("INSERT INTO a VALUES (1)"));
        REQUIRE(std::system(other.c_str()) == 0);
        std::ifstream count{folder + "/count"};
        std::string shown;
        count >> shown;
        CHECK(shown == "1");
    }
    std::filesystem::remove_all(folder);
}
