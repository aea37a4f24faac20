#include "base/process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include <fmt/core.h>

namespace acmetool::base
{
namespace
{

constexpr Milliseconds kGrace{1000};

std::vector<char*> pointers_of(std::vector<std::string>& texts)
{
    std::vector<char*> pointers;
    for (auto& text : texts)
        pointers.push_back(text.data());
    pointers.push_back(nullptr);
    return pointers;
}

/// In the child, between fork and exec: only async-signal-safe calls.
[[noreturn]] void become(char* const* arguments, char* const* environment, int report)
{
    setpgid(0, 0);
    for (const int number : {SIGINT, SIGTERM, SIGPIPE, SIGXFSZ})
        std::signal(number, SIG_DFL);
    const int null = open("/dev/null", O_RDONLY);
    dup2(null, STDIN_FILENO);
    dup2(STDERR_FILENO, STDOUT_FILENO);
    execve(arguments[0], arguments, environment);
    const int problem = errno;
    const auto ignored = write(report, &problem, sizeof problem);
    _exit(ignored == sizeof problem ? 127 : 126);
}

/// Waits for the child at most `time`; true if it ended.
bool reap(pid_t child, int& status, Milliseconds time, const Context& context, bool heed_signals)
{
    const auto end = std::chrono::steady_clock::now() + time;
    useconds_t pause = 1000;
    for (;;) {
        if (waitpid(child, &status, WNOHANG) == child) return true;
        if (std::chrono::steady_clock::now() >= end || (heed_signals && context.interrupted())) return false;
        usleep(pause);
        pause = pause < 50'000 ? pause * 2 : pause;
    }
}

} // namespace

Result<int> run_program(const Command& command, Context& context, bool finish)
{
    auto arguments = command.arguments;
    const std::string program = arguments.front();
    auto environment = command.environment;
    for (const char* name : {"PATH", "HOME", "LANG", "TMPDIR"})
        if (const char* value = std::getenv(name)) environment.push_back(fmt::format("{}={}", name, value));
    const auto argument_pointers = pointers_of(arguments);
    const auto environment_pointers = pointers_of(environment);

    int report[2];
    if (pipe2(report, O_CLOEXEC) != 0)
        return fail(Errc::internal, fmt::format("{}: pipe: {}", program, std::strerror(errno)));
    const pid_t child = fork();
    if (child == 0) become(argument_pointers.data(), environment_pointers.data(), report[1]);
    close(report[1]);
    int problem = 0;
    const bool failed = child < 0 || read(report[0], &problem, sizeof problem) == sizeof problem;
    close(report[0]);
    int status = 0;
    if (failed) {
        if (child > 0) waitpid(child, &status, 0);
        return fail(Errc::config,
                    fmt::format("{}: cannot be run: {}", program, std::strerror(child < 0 ? errno : problem)),
                    "give the path of a file that exists and is executable", "programNotFound");
    }
    if (!reap(child, status, command.timeout, context, !finish)) {
        kill(-child, SIGTERM);
        if (!reap(child, status, kGrace, context, false)) {
            kill(-child, SIGKILL);
            waitpid(child, &status, 0);
        }
        kill(-child, SIGKILL); // what the program left behind in its group
        if (!finish && context.interrupted()) return fail(interrupted_error(program));
        return fail(Errc::unavailable, fmt::format("{}: killed after {}", program, describe(command.timeout)),
                    "find out what it waits for, or give it more time", "programTimeout");
    }
    if (WIFSIGNALED(status))
        return fail(Errc::unavailable, fmt::format("{}: ended by signal {}", program, WTERMSIG(status)), {},
                    "programSignal");
    return WEXITSTATUS(status);
}

} // namespace acmetool::base
