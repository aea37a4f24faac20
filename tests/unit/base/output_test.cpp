#include "base/output.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "../comes_true.h"
#include "base/output_queue.h"

using namespace acmetool;

namespace
{

/// A pipe that holds a page at most.
struct SmallPipe {
    int ends[2] = {-1, -1};
    SmallPipe()
    {
        REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
        REQUIRE(fcntl(ends[1], F_SETPIPE_SZ, 4096) >= 4096);
    }
    ~SmallPipe()
    {
        close(ends[0]);
        close(ends[1]);
    }
    SmallPipe(const SmallPipe&) = delete;
    SmallPipe& operator=(const SmallPipe&) = delete;
};

/// A sink that takes nothing while it is shut.
struct Sink {
    std::mutex mutex;
    std::condition_variable opened;
    bool is_open = false;
    bool fails = false;
    std::vector<std::string> taken;

    bool take(const std::string& line)
    {
        std::unique_lock lock{mutex};
        opened.wait(lock, [this] { return is_open; });
        if (!fails) taken.push_back(line);
        return !fails;
    }
    std::string last()
    {
        const std::lock_guard lock{mutex};
        return taken.empty() ? std::string{} : taken.back();
    }
    void open()
    {
        const std::lock_guard lock{mutex};
        is_open = true;
        opened.notify_all();
    }
};

std::string told(std::uint64_t count)
{
    return "<" + std::to_string(count) + " dropped>";
}

} // namespace

TEST_CASE("FLD-A1: writing tells of a reader that has gone or a full disk, and throws nothing")
{
    SmallPipe pipe;
    CHECK(base::write_all(pipe.ends[1], "abc") == 0);
    close(pipe.ends[0]);
    pipe.ends[0] = open("/dev/full", O_WRONLY | O_CLOEXEC);
    CHECK(base::write_all(pipe.ends[1], "abc") == EPIPE);
    CHECK(base::write_all(pipe.ends[0], "abc") == ENOSPC);
    CHECK(base::write_all(-1, "abc") == EBADF);
}

TEST_CASE("SEC-25: a reader that takes nothing is waited for until the program is asked to stop")
{
    const SmallPipe pipe;
    int asked = 0;
    CHECK(base::write_all(pipe.ends[1], std::string(10'000, 'x'), [&asked] { return ++asked == 2; }) ==
          EINTR);
    CHECK(asked == 2);
    char page[4096];
    CHECK(read(pipe.ends[0], page, sizeof page) == 4096);
}

TEST_CASE("SEC-28: who has a line never waits; what is too much is counted, and told once the reader goes on")
{
    const auto sink = std::make_shared<Sink>();
    base::OutputQueue queue{"log", true, [sink](const std::string& line) { return sink->take(line); }, told,
                            10};
    queue.put("first"); // may be on its way already: what waits are the others
    for (const auto* line : {"12345", "67890", "over", "over again"})
        queue.put(line);
    const auto full = queue.health();
    CHECK(full.waiting <= 10);
    CHECK(full.dropped >= 2);
    sink->open();
    queue.flush();
    // flush() gives up a reader that took nothing for a second, and this thread may have been held up that
    // long.
    REQUIRE(test::comes_true([&] { return sink->last() == told(full.dropped); }));
    queue.put("after");
    REQUIRE(test::comes_true([&] { return sink->last() == "after"; }));
    REQUIRE(sink->taken.size() >= 4);
    CHECK(sink->taken.front() == "first");
    CHECK(sink->taken[sink->taken.size() - 2] == told(full.dropped));
    CHECK(queue.health().dropped == full.dropped);
    CHECK(test::comes_true([&] { return !queue.health().is_stalled; }));
}

TEST_CASE("SEC-28: a queue whose reader has stopped says so, and goes without it")
{
    const auto sink = std::make_shared<Sink>();
    {
        base::OutputQueue queue{"log", true, [sink](const std::string& line) { return sink->take(line); },
                                told};
        queue.put("never read");
        queue.flush();
        CHECK(queue.health().is_stalled);
        CHECK(base::describe(queue.health()).find("it has no reader") != std::string::npos);
    }
    sink->open();
}

TEST_CASE("SEC-28: lines that cannot be written are counted, and the next that can tells of them")
{
    for (const bool can_block : {true, false}) {
        const auto sink = std::make_shared<Sink>();
        sink->is_open = true;
        sink->fails = true;
        base::OutputQueue queue{"log", can_block,
                                [sink](const std::string& line) { return sink->take(line); }, told};
        queue.put("lost");
        queue.put("lost, too");
        queue.flush();
        CHECK(test::comes_true([&] { return queue.health().dropped == 2; }));
        {
            const std::lock_guard lock{sink->mutex};
            sink->fails = false;
        }
        queue.put("kept");
        REQUIRE(test::comes_true([&] { return !sink->last().empty(); }));
        CHECK(sink->taken == std::vector<std::string>{told(2) + "kept"});
    }
}
