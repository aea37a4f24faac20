#include <doctest/doctest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <latch>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "base/worker_pool.h"

using namespace acmetool;

TEST_CASE("SEC-16: a pool refuses what its queue has no place for, and runs the rest in order")
{
    std::latch begun{1};
    std::latch go{1};
    std::string order;
    base::WorkerPool pool{{.threads = 1, .queue = 2}};
    REQUIRE(pool.post([&] {
        begun.count_down();
        go.wait();
        order += 'a';
    }));
    begun.wait();
    CHECK(pool.post([&] { order += 'b'; }));
    CHECK(pool.post([&] { order += 'c'; }));
    CHECK_FALSE(pool.post([&] { order += 'd'; }));
    go.count_down();
    pool.stop();
    CHECK(order == "abc");
    CHECK_FALSE(pool.post([&] { order += 'e'; }));
    pool.stop(); // again
    CHECK(order == "abc");
}

TEST_CASE("SEC-16: a pool's threads work at once, and are as nice as they are told")
{
    std::latch together{2};
    std::atomic<int> nice{0};
    const int own = getpriority(PRIO_PROCESS, 0);
    base::WorkerPool pool{{.threads = 2, .queue = 2, .nice = 3}};
    for (int i = 0; i < 2; ++i)
        REQUIRE(pool.post([&] {
            together.arrive_and_wait();
            nice = getpriority(PRIO_PROCESS, static_cast<id_t>(gettid()));
        }));
    pool.stop();
    CHECK(nice == std::min(own + 3, 19));
    CHECK(getpriority(PRIO_PROCESS, 0) == own);
}

TEST_CASE("A pool starts a thread when a job finds all others busy, up to its number, named as it is told")
{
    std::latch together{2};
    std::mutex mutex;
    std::set<std::thread::id> threads;
    std::string name;
    base::WorkerPool pool{{.name = "test-pool", .threads = 2, .queue = SIZE_MAX}};
    for (int i = 0; i < 50; ++i)
        REQUIRE(pool.post([&, i] {
            if (i < 2) together.arrive_and_wait(); // so that it takes two
            const std::lock_guard lock{mutex};
            threads.insert(std::this_thread::get_id());
            char text[16] = {};
            pthread_getname_np(pthread_self(), text, sizeof text);
            name = text;
        }));
    pool.stop();
    CHECK(threads.size() == 2);
    CHECK(name == "test-pool");
}
