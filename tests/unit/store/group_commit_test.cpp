#include <atomic>
#include <chrono>
#include <filesystem>
#include <future>
#include <memory>
#include <string>

#include <doctest/doctest.h>
#include <stdlib.h>

#include "store/group_commit.h"
#include "store/sqlite.h"

using namespace acmetool;
using store::GroupCommit;

namespace
{

/// A database in a folder of its own, and what one more connection reads in it.
struct Place {
    std::string folder = "/tmp/group-commit-test.XXXXXX";
    Place() { REQUIRE(mkdtemp(folder.data()) != nullptr); }
    ~Place() { std::filesystem::remove_all(folder); }
    std::unique_ptr<store::Database> open() const
    {
        return std::move(*store::Sqlite::open(folder + "/a.db"));
    }
    std::string count() const { return open()->execute("SELECT count(*) FROM a")->front().front(); }
};

GroupCommit::Job insert(int number, std::function<void()> after)
{
    return {[number, after = std::move(after)](store::Database& database,
                                               GroupCommit::After& later) -> Result<void> {
                ACMETOOL_CHECK(database.execute("INSERT INTO a VALUES ($1)", {std::int64_t{number}}));
                later.push_back(after);
                return {};
            },
            nullptr};
}

} // namespace

TEST_CASE("Jobs that wait share one commit, and callbacks come after it, in order")
{
    const Place place;
    auto database = place.open();
    REQUIRE(database->create({"CREATE TABLE IF NOT EXISTS a (n BIGINT NOT NULL)"}, 3));
    std::string order;
    std::string seen;
    {
        std::promise<void> gate;
        const auto opened = gate.get_future().share();
        GroupCommit commits{std::move(database), "test"};
        commits.worker().post([opened] { opened.wait(); });
        for (int i = 0; i < 5; ++i)
            CHECK(commits.post(insert(i, [&, i] {
                order += std::to_string(i);
                if (i == 0) seen = place.count(); // all five are there
            })));
        gate.set_value();
    }
    CHECK(order == "01234");
    CHECK(seen == "5");
}

TEST_CASE("After a failed transaction nothing is kept; jobs that cannot be answered are tried again")
{
    const Place place;
    auto database = place.open();
    REQUIRE(database->create({"CREATE TABLE IF NOT EXISTS a (n BIGINT NOT NULL)"}, 3));
    REQUIRE(
        database->execute("CREATE TRIGGER full BEFORE INSERT ON a BEGIN SELECT RAISE(ABORT, 'full'); END"));
    const auto second = place.open();
    std::promise<Error> failed;
    std::promise<void> stored;
    GroupCommit commits{std::move(database), "test"};
    bool was_told = false;
    auto refused = insert(1, [] {});
    refused.failed = [&](const Error& error) {
        was_told = commits.problem().has_value(); // a second later it is tried whether it is over
        failed.set_value(error);
    };
    REQUIRE(commits.post(std::move(refused)));
    CHECK(failed.get_future().get().message.find("full") != std::string::npos);
    CHECK(was_told);
    REQUIRE(commits.post(insert(2, [&stored] { stored.set_value(); })));
    while (!commits.problem())
        std::this_thread::yield();
    REQUIRE(second->execute("DROP TRIGGER full"));
    stored.get_future().wait();
    CHECK_FALSE(commits.problem());
    CHECK(place.count() == "1");
    commits.stop();
    CHECK_FALSE(commits.post(insert(3, [] {})));
}

TEST_CASE("However many transactions fail meanwhile, what is tried again is tried once a second")
{
    const Place place;
    auto database = place.open();
    REQUIRE(database->create({"CREATE TABLE IF NOT EXISTS a (n BIGINT NOT NULL)"}, 3));
    std::atomic<int> tries{0};
    std::promise<void> third;
    GroupCommit commits{std::move(database), "test"};
    const auto begun = std::chrono::steady_clock::now();
    REQUIRE(commits.post({[&](store::Database&, GroupCommit::After&) -> Result<void> {
                              if (++tries == 3) third.set_value();
                              return fail(Errc::io, "no");
                          },
                          nullptr}));
    for (int i = 0; i < 20; ++i) {
        std::promise<void> failed;
        REQUIRE(commits.post(
            {[](store::Database&, GroupCommit::After&) -> Result<void> { return fail(Errc::io, "no"); },
             [&failed](const Error&) { failed.set_value(); }}));
        failed.get_future().wait();
    }
    third.get_future().wait();
    CHECK(std::chrono::steady_clock::now() - begun >= std::chrono::milliseconds{1500});
}

TEST_CASE("A job without an answer that fails at the end is tried a few times, and then given up")
{
    const Place place;
    auto database = place.open();
    REQUIRE(database->create({"CREATE TABLE IF NOT EXISTS a (n BIGINT NOT NULL)"}, 3));
    int tries = 0;
    const auto begun = std::chrono::steady_clock::now();
    {
        GroupCommit commits{std::move(database), "test"};
        REQUIRE(commits.post({[&tries](store::Database&, GroupCommit::After&) -> Result<void> {
                                  ++tries;
                                  return fail(Errc::io, "no");
                              },
                              nullptr}));
    }
    // Once, three times at the end, and once a second until then.
    CHECK(tries >= 4);
    CHECK(tries <= 4 + (std::chrono::steady_clock::now() - begun) / std::chrono::seconds{1});
}

TEST_CASE("A database whose schema another version made is refused")
{
    const Place place;
    REQUIRE(place.open()->create({}, 3));
    CHECK(place.open()->create({}, 3));
    const auto refused = place.open()->create({}, 4);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().reason.word() == "storeVersion");
}
