#include "cli/signals.h"

#include <chrono>
#include <csignal>
#include <thread>

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace acmetool;
using cli::SignalRequest;

namespace
{

/// In a child, as signals ask a whole process: 0, or the line that went wrong.
int take_signals()
{
    alarm(300); // a wait that nothing ends
    cli::watch_signals();
    cli::watch_hangup();
    std::raise(SIGHUP);
    std::raise(SIGHUP);
    if (cli::next_signal() != SignalRequest::reload) return __LINE__;
    if (cli::caught_signal() != 0) return __LINE__;
    // From another thread, and while this one waits: had the second SIGHUP counted, this would end too soon.
    std::thread other{[] {
        std::this_thread::sleep_for(std::chrono::milliseconds{50});
        std::raise(SIGTERM); // on this thread
    }};
    if (cli::next_signal() != SignalRequest::stop) return __LINE__;
    other.join();
    if (cli::caught_signal() != SIGTERM) return __LINE__;
    if (cli::next_signal() != SignalRequest::stop) return __LINE__;
    return 0;
}

} // namespace

TEST_CASE("A daemon waits for signals: SIGHUP is a reload, however often it came, SIGTERM the end")
{
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) _exit(take_signals());
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    REQUIRE(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
}
