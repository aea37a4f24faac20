#include <doctest/doctest.h>

#include <csignal>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "../comes_true.h"
#include "base/process.h"
#include "base/thread.h"

using namespace acmetool;
using namespace std::chrono_literals;

namespace
{

base::Command shell(const std::string& script, base::Milliseconds timeout = 60s)
{
    return {{"/bin/sh", "-c", script}, {}, timeout};
}

const base::Command kNothingBlocked{
    {"/bin/grep", "-q", "SigBlk:[[:space:]]*0000000000000000", "/proc/self/status"}, {}, 60s};

std::string reason(const base::Command& command, std::string_view input = {}, std::size_t limit = 1000)
{
    base::Context context;
    const auto result = base::run_filter(command, input, limit, context);
    return result ? "exit " + std::to_string(result->status) : result.error().reason.word();
}

/// Of a process, as proc(5) shows it.
char state_of(int process)
{
    std::ifstream file{"/proc/" + std::to_string(process) + "/stat"};
    std::string text{std::istreambuf_iterator<char>{file}, {}};
    const auto end = text.rfind(')');
    return end == std::string::npos || end + 2 >= text.size() ? '?' : text[end + 2];
}

class Hearing final : public base::Context
{
public:
    void log(base::Level level, std::string_view text) override
    {
        CHECK(level == base::Level::info);
        lines.emplace_back(text);
    }
    std::vector<std::string> lines;
};

class Interrupted final : public base::Context
{
public:
    bool interrupted() const override { return true; }
};

} // namespace

TEST_CASE("run_filter: more than a pipe holds goes in and comes out, and the exit status is told")
{
    const std::string input(300'000, 'x');
    base::Context context;
    const auto result = base::run_filter(shell("cat; exit 75"), input, 300'000, context);
    REQUIRE(result);
    CHECK(result->status == 75);
    CHECK(result->output == input);
    CHECK(reason(shell("exec true"), input) == "exit 0"); // it does not read
    CHECK(reason(shell("exec <&-; echo done; exit 3"), input) == "exit 3");
}

TEST_CASE("SEC-31: a program that exits ends the run, though what it left behind holds its output open")
{
    const auto began = std::chrono::steady_clock::now();
    base::Context context;
    const auto result =
        base::run_filter(shell("sleep 600 & echo certificate; exit 3", 300s), {}, 1000, context);
    REQUIRE(result);
    CHECK(result->status == 3);
    CHECK(result->output == "certificate\n");
    CHECK(std::chrono::steady_clock::now() - began < 120s);

    // And it is ended with its group.
    const auto left = base::run_filter(shell("sleep 600 & echo $!"), {}, 1000, context);
    REQUIRE(left);
    const auto process = std::stoi(left->output);
    CHECK(test::comes_true([&] { return kill(process, 0) != 0 || state_of(process) == 'Z'; }));
}

TEST_CASE("A program starts with no signal blocked, whatever thread runs it")
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const auto outcome = reason(kNothingBlocked); // not in a shell: dash unblocks all signals by itself
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    CHECK(outcome == "exit 0");
}

TEST_CASE("run_filter: a program gets none of our files and sockets")
{
    constexpr int kOurs = 57;
    REQUIRE(dup2(STDERR_FILENO, kOurs) == kOurs);
    CHECK(reason(shell("! test -e /proc/self/fd/57")) == "exit 0");
    close(kOurs);
}

TEST_CASE("run_filter: too much output, too much time, a signal and a missing program are told apart")
{
    CHECK(reason(shell("head -c 1001 /dev/zero")) == "programOutput");
    CHECK(reason(shell("head -c 1000 /dev/zero")) == "exit 0");
    CHECK(reason(shell("yes")) == "programOutput");
    CHECK(reason(shell("sleep 600", 100ms)) == "programTimeout");
    CHECK(reason(shell("exec >&-; sleep 600", 100ms)) == "programTimeout");
    CHECK(reason(shell("kill -9 $$")) == "programSignal");
    CHECK(reason({{"/nowhere/program"}, {}, 1s}) == "programNotFound");
    Interrupted context;
    const auto result = base::run_filter(shell("sleep 600"), {}, 10, context);
    REQUIRE_FALSE(result);
    CHECK(result.error().code == Errc::interrupted);
}

TEST_CASE("run_filter: a program takes signals although the thread that starts it takes none")
{
    std::string told;
    base::start_thread("test", [&] { told = reason(kNothingBlocked); }).join();
    CHECK(told == "exit 0");
}

TEST_CASE("SEC-34: what a program writes becomes lines of the log, cleaned, cut, and limited in all")
{
    const auto said = [](const std::string& script) {
        Hearing context;
        auto command = shell(script);
        command.name = "hook x";
        const auto ended = base::run_program(command, context);
        REQUIRE(ended);
        if (!context.lines.empty()) context.lines.push_back("last: " + ended->last_line);
        return context.lines;
    };
    using Lines = std::vector<std::string>;
    CHECK(said("true").empty());
    CHECK(said("echo out; echo err >&2; printf rest") ==
          Lines{"hook x: out", "hook x: err", "hook x: rest", "last: rest"});
    CHECK(said(R"(printf 'a\r\n\n  \n1%%\r2%%\n\033[1;31mred\033[0m\a\tb\033]0;t\n')") ==
          Lines{"hook x: a", "hook x: 2%", "hook x: red b]0;t", "last: red b]0;t"});
    const auto cut = said("head -c 5000 /dev/zero | tr '\\0' x; echo; echo y");
    REQUIRE(cut.size() == 3);
    CHECK(cut[0] == "hook x: " + std::string(1000, 'x') + "...");
    const auto many = said("seq 100000");
    CHECK(many.size() == 1002);
    CHECK(many[many.size() - 2].ends_with(" more octets of output were dropped"));
    CHECK(said("exec >/dev/stderr; echo reopened")[0] == "hook x: reopened");
}

TEST_CASE("SEC-34: what an issuer program writes to standard error is told, and its output is its own")
{
    Hearing context;
    const auto result = base::run_filter(shell("echo certificate; echo told >&2; exit 4"), {}, 1000, context);
    REQUIRE(result);
    CHECK(result->output == "certificate\n");
    CHECK(result->last_line == "told");
    CHECK(context.lines == std::vector<std::string>{"/bin/sh: told"});
}
