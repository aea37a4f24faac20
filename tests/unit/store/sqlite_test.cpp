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
        auto opened_database = store::Sqlite::open(folder + "/a.db");
        REQUIRE(opened_database);
        const auto& database = *opened_database;
        REQUIRE(database->execute("CREATE TABLE a (words TEXT NOT NULL, octets BLOB NOT NULL)"));
        CHECK(database->execute("INSERT INTO a VALUES ($1, $2)", {std::string_view{}, ByteView{}}));
        const auto rows = database->execute("SELECT words, octets FROM a");
        REQUIRE(rows);
        CHECK(*rows == std::vector<store::Database::Row>{{"", ""}});
    }
    std::filesystem::remove_all(folder);
}

TEST_CASE("Parameters are numbered, and may be used twice and in any order")
{
    std::string folder = "/tmp/sqlite-test.XXXXXX";
    REQUIRE(mkdtemp(folder.data()) != nullptr);
    {
        const auto opened = store::Sqlite::open(folder + "/a.db");
        REQUIRE(opened);
        const auto rows = (*opened)->execute("SELECT $2, $1, $2", {std::string_view{"one"}, std::int64_t{2}});
        REQUIRE(rows);
        CHECK(*rows == std::vector<store::Database::Row>{{"2", "one", "2"}});
        CHECK_FALSE((*opened)->execute("SELECT $2", {std::int64_t{1}}));
        CHECK_FALSE((*opened)->execute("SELECT ?", {std::int64_t{1}}));
    }
    std::filesystem::remove_all(folder);
}

TEST_CASE("SEC-29: a database that was moved, removed or replaced takes no transaction, until it is back")
{
    std::string folder = "/tmp/sqlite-test.XXXXXX";
    REQUIRE(mkdtemp(folder.data()) != nullptr);
    const auto path = folder + "/a.db";
    const auto away = folder + "/away.db";
    {
        auto opened_database = store::Sqlite::open(path);
        REQUIRE(opened_database);
        const auto& database = *opened_database;
        REQUIRE(database->execute("CREATE TABLE a (n INTEGER)"));
        const auto works = [&] {
            const auto begun = database->begin();
            if (begun) REQUIRE(database->commit());
            CHECK(begun.has_value() == database->check_place().has_value());
            if (!begun) CHECK(begun.error().reason.word() == "databaseMoved");
            return begun.has_value();
        };
        CHECK(works());
        std::filesystem::copy_file(path, away); // a copy elsewhere harms nobody
        CHECK(works());
        std::filesystem::rename(path, folder + "/b.db");
        CHECK_FALSE(works());
        std::filesystem::copy_file(away, path);
        CHECK_FALSE(works());
        std::filesystem::remove(path);
        // The same file by another name, and who opens it there has its log beside that.
        std::filesystem::create_symlink(folder + "/b.db", path);
        CHECK_FALSE(works());
        std::filesystem::remove(path);
        std::filesystem::rename(folder + "/b.db", path);
        CHECK(works());
        std::filesystem::rename(path + "-wal", folder + "/log");
        CHECK_FALSE(works());
        std::filesystem::rename(folder + "/log", path + "-wal");

        REQUIRE(database->begin());
        REQUIRE(database->execute("INSERT INTO a VALUES (1)"));
        std::filesystem::rename(path, away);
        CHECK(database->commit().error().reason.word() == "databaseMoved");
        database->rollback();
        std::filesystem::rename(away, path);
        CHECK(database->execute("SELECT count(*) FROM a")->front().front() == "0");
    }
    std::filesystem::remove_all(folder);
}

TEST_CASE("SEC-29: a database behind a symbolic link is opened, until the link leads elsewhere")
{
    std::string folder = "/tmp/sqlite-test.XXXXXX";
    REQUIRE(mkdtemp(folder.data()) != nullptr);
    const auto path = folder + "/a.db";
    REQUIRE(std::filesystem::create_directory(folder + "/data"));
    std::filesystem::create_symlink("data", folder + "/link");
    std::filesystem::create_symlink("link/real.db", path);
    REQUIRE(store::Sqlite::open(folder + "/data/real.db"));
    REQUIRE(store::Sqlite::open(folder + "/data/other.db"));
    {
        auto opened_database = store::Sqlite::open(path);
        REQUIRE(opened_database);
        const auto& database = *opened_database;
        REQUIRE(database->begin());
        REQUIRE(database->execute("CREATE TABLE a (n INTEGER)"));
        REQUIRE(database->commit());
        std::filesystem::remove(path);
        std::filesystem::create_symlink("data/other.db", path);
        CHECK(database->begin().error().reason.word() == "databaseMoved");
        std::filesystem::remove(path);
        std::filesystem::create_symlink("data/real.db", path); // another way to the same place
        CHECK(database->check_place());
        std::filesystem::rename(folder + "/data/real.db-wal", folder + "/log");
        CHECK(database->begin().error().reason.word() == "databaseMoved");
    }
    std::filesystem::remove_all(folder);
}

TEST_CASE("Another program that opens and closes the database takes nothing from the two connections here")
{
    std::string folder = "/tmp/sqlite-test.XXXXXX";
    REQUIRE(mkdtemp(folder.data()) != nullptr);
    const auto path = folder + "/a.db";
    {
        auto opened_writer = store::Sqlite::open(path);
        REQUIRE(opened_writer);
        const auto& writer = *opened_writer;
        REQUIRE(writer->execute("CREATE TABLE a (n INTEGER)"));
        auto opened_reader = store::Sqlite::open(path);
        REQUIRE(opened_reader);
        const auto& reader = *opened_reader;
        const auto other = fmt::format("sqlite3 {} 'SELECT count(*) FROM a' >{}/count", path, folder);
        REQUIRE(std::system(other.c_str()) == 0);
        CHECK(std::filesystem::exists(path + "-wal"));
        REQUIRE(writer->execute("INSERT INTO a VALUES (1)"));
        REQUIRE(std::system(other.c_str()) == 0);
        std::ifstream count{folder + "/count"};
        std::string shown;
        count >> shown;
        CHECK(shown == "1");
    }
    std::filesystem::remove_all(folder);
}
