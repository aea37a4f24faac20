#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "base/worker.h"

using namespace acmetool;
using base::Worker;
using namespace std::chrono_literals;

TEST_CASE("A worker runs tasks in their order, on one thread, and those that were posted before stop()")
{
    std::vector<int> order;
    bool here = true;
    {
        Worker worker{"test"};
        for (int i = 0; i < 100; ++i)
            CHECK(worker.post([&order, &here, &worker, i] {
                order.push_back(i);
                here = here && worker.is_here();
            }));
        worker.post([&worker, &order] { worker.post([&order] { order.push_back(100); }); });
        CHECK_FALSE(worker.is_here());
        worker.stop();
        CHECK_FALSE(worker.post([&order] { order.push_back(-1); }));
    }
    REQUIRE(order.size() == 101);
    for (int i = 0; i < 101; ++i)
        CHECK(order[static_cast<std::size_t>(i)] == i);
    CHECK(here);
}

TEST_CASE(
    "Timers fire in the order of their times, while tasks keep coming, and not after cancel() or stop()")
{
    std::string order;
    std::promise<void> done;
    std::function<void()> busy;
    Worker worker{"test"};
    const auto now = Worker::Clock::now();
    // A mailbox that is never empty does not hold up timers.
    busy = [&] { worker.post(busy); };
    worker.post([&] {
        worker.at(now + 20ms, [&] {
            order += 'c';
            done.set_value();
        });
        worker.at(now + 10ms, [&] { order += 'b'; });
        worker.at(now - 1s, [&] { order += 'a'; });
        const auto never = worker.at(now + 5ms, [&] { order += 'x'; });
        worker.cancel(never);
        worker.cancel(never);
        // Both are due at once; the first cancels the second.
        const auto second = std::make_shared<Worker::Timer>(0);
        worker.at(now + 1ms, [&, second] { worker.cancel(*second); });
        *second = worker.at(now + 2ms, [&] { order += 'y'; });
        busy();
    });
    done.get_future().wait();
    worker.post([&] { busy = [] {}; });
    worker.at(Worker::Clock::now() + 1h, [&] { order += 'z'; });
    worker.stop();
    CHECK(order == "abc");
}

TEST_CASE(
    "A bound callback comes back to its worker, with its arguments, and does nothing after the worker's end")
{
    std::promise<std::string> told;
    std::function<void(std::unique_ptr<std::string>, int)> unused;
    auto late = std::make_unique<Worker>("test");
    bool here = false;
    auto callback = late->bind([&](std::string text, int number) {
        here = late->is_here();
        told.set_value(text + std::to_string(number));
    });
    callback(std::string{"a"}, 1);
    CHECK(told.get_future().get() == "a1");
    CHECK(here);
    late.reset();
    callback(std::string{"b"}, 2); // a second set_value would throw
}

TEST_CASE("A worker waits in what it is given, which is woken by posts and timers of others")
{
    struct Counting final : Worker::Wait {
        Counting(std::atomic<int>& the_count, std::atomic<int>& the_wakes)
            : count(the_count), wakes(the_wakes)
        {
        }
        void wait(Worker::Clock::time_point until) override
        {
            ++count;
            std::unique_lock lock{mutex};
            const auto longest = std::min(until, Worker::Clock::now() + 1h);
            changed.wait_until(lock, longest, [this] { return woken; });
            woken = false;
        }
        void wake() override
        {
            ++wakes;
            const std::lock_guard lock{mutex};
            woken = true;
            changed.notify_one();
        }
        std::atomic<int>& count;
        std::atomic<int>& wakes;
        std::mutex mutex;
        std::condition_variable changed;
        bool woken = false;
    };
    std::atomic<int> waits{0};
    std::atomic<int> wakes{0};
    {
        std::promise<void> ran;
        std::promise<void> fired;
        Worker worker{"test", std::make_unique<Counting>(waits, wakes)};
        worker.post([&] { worker.post([&] { worker.at({}, [&] { ran.set_value(); }); }); });
        ran.get_future().wait();
        CHECK(wakes == 1);
        worker.at(Worker::Clock::now() + 5ms, [&] { fired.set_value(); });
        fired.get_future().wait();
    }
    CHECK(waits > 0);
    CHECK(waits < 10); // it sleeps in between, and does not poll
}
