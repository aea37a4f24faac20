#include <atomic>
#include <chrono>
#include <future>
#include <mutex>
#include <string>

#include <doctest/doctest.h>

#include "../comes_true.h"
#include "server.h"
#include "store/group_commit.h"
#include "store/notices.h"
#include "store/postgresql.h"

using namespace acmetool;
using store::Postgresql;

namespace
{

constexpr const char* kTable = "CREATE TABLE IF NOT EXISTS a (id TEXT PRIMARY KEY, n BIGINT NOT NULL, "
                               "octets BYTEA NOT NULL DEFAULT '') WITHOUT ROWID";

/// Ends the sessions of all others on this database, as a restart of the server would.
void cut_others(Postgresql& database)
{
    REQUIRE(database.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                             "WHERE datname = current_database() AND pid <> pg_backend_pid()"));
}

} // namespace

TEST_CASE("A PostgreSQL database holds numbers, text and octets, and compares text by octets")
{
    const auto options = test::new_database("values");
    if (!options) return;
    const auto database = *Postgresql::open(*options);
    CHECK(*database->version() == 0);
    REQUIRE(database->create({kTable}, 3));
    CHECK(*database->version() == 3);
    REQUIRE(database->create({kTable}, 3));
    CHECK(database->create({kTable}, 4).error().reason.word() == "storeVersion");
    REQUIRE(database->create({kTable}, 4, 3));

    const Bytes octets{0, 1, 0xff, '\\', 0};
    REQUIRE(database->execute("INSERT INTO a VALUES ($1, $2, $3)",
                              {std::string_view{"b@"}, std::int64_t{-7}, ByteView{octets}}));
    REQUIRE(
        database->execute("INSERT INTO a VALUES ($2, $1)", {std::int64_t{1} << 40U, std::string_view{"Z"}}));
    const auto rows = *database->execute("SELECT id, n, octets FROM a ORDER BY id");
    REQUIRE(rows.size() == 2);
    CHECK(rows[0] == store::Database::Row{"Z", "1099511627776", ""});
    CHECK(rows[1] == store::Database::Row{"b@", "-7", std::string{octets.begin(), octets.end()}});
    // "A" follows "@": in other locales it does not.
    CHECK(database->execute("SELECT 1 FROM a WHERE id >= $1 AND id < $2", {"b@", "bA"})->size() == 1);
    CHECK(database->execute("SELECT COUNT(*), MAX(n) FROM a")->front().front() == "2");
    CHECK(std::stoll(database->execute("SELECT " + std::string{database->seconds()})->front().front()) >
          1'700'000'000);

    // Text that the server would refuse, and what looks like its form there.
    const std::string_view odd[] = {{"a\0b", 3},
                                    {"\xff", 1},
                                    {"\xef\xbf\xbd"
                                     "610062",
                                     9},
                                    {"\xef\xbf\xbd", 3}};
    for (const auto text : odd)
        REQUIRE(database->execute("INSERT INTO a VALUES ($1, 5)", {text}));
    for (const auto text : odd)
        CHECK(database->execute("SELECT id FROM a WHERE id = $1", {text})->front().front() == text);
    REQUIRE(database->execute("DELETE FROM a WHERE n = 5"));

    const auto wrong = database->execute("SELECT nothing FROM a");
    REQUIRE_FALSE(wrong);
    CHECK(wrong.error().code == Errc::io);
    CHECK(wrong.error().message.find("nothing") != std::string::npos);
    CHECK(wrong.error().hint.find("store upgrade") != std::string::npos);
    CHECK(database->execute("SELECT 1 FROM a")->size() == 2); // it goes on
}

TEST_CASE("What is written in a transaction of PostgreSQL is sent together, and only then")
{
    const auto options = test::new_database("together");
    if (!options) return;
    const auto database = *Postgresql::open(*options, Postgresql::Role::writer);
    REQUIRE(database->create({kTable}, 1));
    const auto insert = [&](const char* id) {
        return database->write("INSERT INTO a VALUES ($1, 1)", {std::string_view{id}});
    };
    const auto before = database->round_trips();
    const auto changes = database->changes();
    REQUIRE(database->begin());
    for (const auto* id : {"1", "2", "3"})
        REQUIRE(insert(id));
    REQUIRE(database->commit());
    CHECK(database->round_trips() == before + 1);
    CHECK(database->changes() - changes == 4); // and the number of the commit

    REQUIRE(database->begin());
    REQUIRE(insert("4"));
    REQUIRE(insert("1"));
    const auto conflict = database->commit();
    REQUIRE_FALSE(conflict);
    CHECK(conflict.error().reason == Cause::store_conflict);
    database->rollback();
    CHECK(database->execute("SELECT COUNT(*) FROM a")->front().front() == "3");
}

TEST_CASE("A connection to PostgreSQL that broke is made anew, and a commit is never done twice")
{
    const auto options = test::new_database("broken");
    if (!options) return;
    auto other_options = *options;
    other_options.instance = "other";
    const auto other = *Postgresql::open(other_options);
    const auto database = *Postgresql::open(*options, Postgresql::Role::writer);
    REQUIRE(database->create({kTable}, 1));

    cut_others(*other);
    CHECK(database->execute("SELECT 1 FROM a")->empty()); // what only reads is sent again
    cut_others(*other);
    const auto cut = database->execute("INSERT INTO a VALUES ('0', 1)");
    REQUIRE_FALSE(cut);
    CHECK(cut.error().reason == Cause::store_away);
    CHECK(database->execute("SELECT 1 FROM a")->empty());

    // In the middle of a transaction, nothing of it is done.
    REQUIRE(database->begin());
    REQUIRE(database->execute("INSERT INTO a VALUES ('1', 1)"));
    cut_others(*other);
    const auto lost = database->commit();
    REQUIRE_FALSE(lost);
    CHECK(lost.error().reason == Cause::store_away);
    database->rollback();
    CHECK(database->execute("SELECT 1 FROM a")->empty());
    REQUIRE(database->begin());
    REQUIRE(database->execute("INSERT INTO a VALUES ('1', 1)"));
    REQUIRE(database->commit());
}

TEST_CASE("A commit whose answer was lost is looked up: it is done, and nobody hears that it failed")
{
    const auto options = test::new_database("unheard");
    if (!options) return;
    auto other_options = *options;
    other_options.instance = "other";
    const auto other = *Postgresql::open(other_options);
    const auto database = *Postgresql::open(*options, Postgresql::Role::writer);
    REQUIRE(database->create({kTable}, 1));
    const auto standby = [&](const std::string& statement) {
        REQUIRE(other->execute("ALTER SYSTEM " + statement));
        REQUIRE(other->execute("SELECT pg_reload_conf()"));
    };
    // It is on disk here, and waits for a standby that there is not: cut off then, it stays done. The server
    // takes the setting up after a while, until which commits do not wait.
    standby("SET synchronous_standby_names = 'nobody'");
    std::int64_t written = 0;
    bool cut = false;
    const auto end = std::chrono::steady_clock::now() + test::kPatience;
    while (!cut && std::chrono::steady_clock::now() < end) {
        auto committed =
            std::async(std::launch::async, [&, id = std::to_string(++written)]() -> Result<void> {
                ACMETOOL_CHECK(database->begin());
                ACMETOOL_CHECK(database->write("INSERT INTO a VALUES ($1, 1)", {std::string_view{id}}));
                return database->commit();
            });
        while (committed.wait_for(std::chrono::milliseconds{10}) != std::future_status::ready) {
            const auto ended = other->execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
                                              "datname = current_database() AND wait_event = 'SyncRep'");
            cut = cut || (ended && !ended->empty());
        }
        REQUIRE(committed.get());
    }
    standby("RESET synchronous_standby_names");
    CHECK(cut);
    CHECK(database->execute("SELECT COUNT(*) FROM a")->front().front() == std::to_string(written));
}

TEST_CASE("Two processes on one PostgreSQL database cannot have the same name")
{
    const auto options = test::new_database("same");
    if (!options) return;
    auto first = *Postgresql::open(*options, Postgresql::Role::writer);
    const auto second = Postgresql::open(*options, Postgresql::Role::writer);
    REQUIRE_FALSE(second);
    CHECK(second.error().reason == Cause::instance_in_use);
    CHECK(second.error().message.find("test") != std::string::npos);
    CHECK(Postgresql::open(*options)); // one that only reads
    first.reset();
    // The server takes a moment to end the first one's session.
    CHECK(test::comes_true([&] { return Postgresql::open(*options, Postgresql::Role::writer).has_value(); }));
}

TEST_CASE("A server that is not there fails at once after the first try")
{
    store::Options options;
    options.postgresql = "host=127.0.0.1 port=1 dbname=relay user=relay";
    const auto none = Postgresql::open(options);
    REQUIRE_FALSE(none);
    CHECK(none.error().code == Errc::io);
    CHECK(none.error().reason == Cause::store_away);
    CHECK(none.error().message.find("127.0.0.1:1/relay") != std::string::npos);
    CHECK(store::parse_target("postgresql://relay@db1,db2/relay?sslmode=verify-full")->hosts ==
          std::vector<std::string>{"db1", "db2"});
    CHECK(store::parse_target("postgresql://u:secret@h/d")->has_password);
    CHECK(store::parse_target("postgresql://h:port/d?nonsense=1").error().code == Errc::config);
    const auto torn = store::parse_target("host=h password=two words");
    REQUIRE_FALSE(torn);
    CHECK(torn.error().message.find("words") == std::string::npos);
}

TEST_CASE("Notices are heard after the commit, by all, and after a connection broke")
{
    const auto options = test::new_database("notices");
    if (!options) return;
    const auto database = *Postgresql::open(*options);
    std::mutex mutex;
    std::string heard;
    std::atomic<int> times{0};
    store::Notices notices{*options, [&](const std::string& payload) {
                               const std::lock_guard lock{mutex};
                               heard += payload + ";";
                               ++times;
                           }};
    const auto wait_for = [&](int count) { return test::comes_true([&] { return times >= count; }); };
    REQUIRE(wait_for(1));
    REQUIRE(database->begin());
    REQUIRE(database->notify("lost"));
    database->rollback();
    REQUIRE(database->begin());
    REQUIRE(database->notify("one"));
    REQUIRE(database->commit());
    REQUIRE(wait_for(2));
    cut_others(*database);
    REQUIRE(wait_for(3));
    const std::lock_guard lock{mutex};
    CHECK(heard == ";one;;");
}

TEST_CASE("Jobs of two processes on one PostgreSQL database: nobody fails for what another does")
{
    const auto options = test::new_database("jobs");
    if (!options) return;
    auto other_options = *options;
    other_options.instance = "other";
    auto opened = *Postgresql::open(*options, Postgresql::Role::writer);
    REQUIRE(opened->create({kTable}, 1));
    REQUIRE(opened->execute("INSERT INTO a VALUES ('n', 0), ('m', 0)"));
    store::GroupCommit one{std::move(opened), "test-one"};
    store::GroupCommit two{*Postgresql::open(other_options, Postgresql::Role::writer), "test-two"};
    std::atomic<int> done{0};
    std::atomic<int> failed{0};
    // In two orders, so that they get into each other's way: deadlocks are run again.
    const auto add = [&](const char* first, const char* second) {
        return store::GroupCommit::Job{
            [&done, first, second](store::Database& database,
                                   store::GroupCommit::After& after) -> Result<void> {
                for (const auto* id : {first, second})
                    ACMETOOL_CHECK(
                        database.execute("UPDATE a SET n = n + 1 WHERE id = $1", {std::string_view{id}}));
                after.push_back([&done] { ++done; });
                return {};
            },
            [&failed](const Error&) { ++failed; }};
    };
    // It fails alone.
    const store::GroupCommit::Job bad{
        [](store::Database& database, store::GroupCommit::After&) -> Result<void> {
            return database.write("UPDATE a SET n = n / 0");
        },
        [&failed](const Error&) { ++failed; }};
    for (int i = 0; i < 50; ++i) {
        REQUIRE(one.post(add("n", "m")));
        REQUIRE(two.post(add("m", "n")));
    }
    REQUIRE(one.post(bad));
    one.stop();
    two.stop();
    CHECK(done == 100);
    CHECK(failed == 1);
    CHECK(Postgresql::open(*options).value()->execute("SELECT n FROM a WHERE id = 'n'")->front().front() ==
          "100");
}
