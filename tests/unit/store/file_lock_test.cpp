#include <cstdio>

#include <doctest/doctest.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/file_lock.h"

using namespace acmetool;

TEST_CASE("SEC-29: a lock says who holds it, and what that one notes")
{
    std::string path = "/tmp/lock-test.XXXXXX";
    const int made = mkstemp(path.data());
    REQUIRE(made >= 0);
    close(made);
    CHECK_FALSE(store::FileLock::holder(path));
    {
        base::Context context;
        auto lock = store::FileLock::acquire(path, context);
        REQUIRE(lock);
        auto holder = store::FileLock::holder(path);
        REQUIRE(holder);
        CHECK(holder->process == getpid());
        CHECK(holder->note.empty());
        lock->note("7:42");
        holder = store::FileLock::holder(path);
        REQUIRE(holder);
        CHECK(holder->process == getpid());
        CHECK(holder->note == "7:42");
    }
    CHECK_FALSE(store::FileLock::holder(path));
    std::remove(path.c_str());
}
