#include "base/process.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <fmt/core.h>

#include "base/descriptor.h"
#include "base/program_output.h"

namespace acmetool::base
{
namespace
{

constexpr Milliseconds kGrace{1000};
constexpr Milliseconds kLook{50};        ///< between two looks for a signal to us
constexpr int kMostDescriptors = 65'536; // used if the kernel has no close_range

std::vector<char*> pointers_of(std::vector<std::string>& texts)
{
    std::vector<char*> pointers;
    pointers.reserve(texts.size() + 1);
    for (auto& text : texts)
        pointers.push_back(text.data());
    pointers.push_back(nullptr);
    return pointers;
}

/// The standard streams of a program.
struct Streams {
    int in = -1;  ///< negative: /dev/null
    int out = -1; ///< negative: the same as `err`
    int err = -1;
};

/// In the child, between fork and exec: only async-signal-safe calls.
[[noreturn]] void become(char* const* arguments, char* const* environment, int report, const Streams& streams)
{
    setpgid(0, 0);
    // Our threads take no signals; the program does.
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    for (const int number : {SIGINT, SIGTERM, SIGPIPE, SIGXFSZ})
        std::signal(number, SIG_DFL);
    dup2(streams.in >= 0 ? streams.in : open("/dev/null", O_RDONLY), STDIN_FILENO);
    dup2(streams.err, STDERR_FILENO);
    dup2(streams.out >= 0 ? streams.out : STDERR_FILENO, STDOUT_FILENO);
    // Not every library opens its sockets to be closed at exec, and a program that outlives a server would
    // hold its port and its clients' connections.
    if (close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC) != 0)
        for (int fd = STDERR_FILENO + 1; fd < kMostDescriptors; ++fd)
            fcntl(fd, F_SETFD, FD_CLOEXEC);
    execve(arguments[0], arguments, environment);
    const int problem = errno;
    const auto ignored = write(report, &problem, sizeof problem);
    _exit(ignored == sizeof problem ? 127 : 126);
}

/// A pipe that both programs close at exec, its own end not blocking.
struct Pipe {
    int read_end = -1;
    int write_end = -1;
    Pipe()
    {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) != 0) return;
        read_end = ends[0];
        write_end = ends[1];
    }
    ~Pipe()
    {
        close_end(read_end);
        close_end(write_end);
    }
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;
    static void close_end(int& fd)
    {
        if (fd >= 0) close(fd);
        fd = -1;
    }
};

/// Reads what is there. False if there is nothing now, or nothing more: `fd` is closed then.
bool read_some(int& fd, std::string& output)
{
    char buffer[4096];
    const auto count = read(fd, buffer, sizeof buffer);
    if (count > 0) output.append(buffer, static_cast<std::size_t>(count));
    if (count == 0) Pipe::close_end(fd);
    return count > 0;
}

/// What a program writes to its standard error, on its way to our log.
class Said
{
public:
    Said(const Command& command, Context& context)
        : output_(command.name.empty() ? command.arguments.front() : command.name, context)
    {
        if (pipe_.read_end >= 0) fcntl(pipe_.read_end, F_SETFL, O_NONBLOCK);
    }
    ~Said()
    {
        started();
        finish();
        leave();
    }
    Said(const Said&) = delete;
    Said& operator=(const Said&) = delete;

    bool is_open() const { return pipe_.read_end >= 0; }
    int write_end() const { return pipe_.write_end; }
    /// After fork().
    void started() { Pipe::close_end(pipe_.write_end); }
    pollfd entry() const { return {pipe_.read_end, POLLIN, 0}; }
    void take()
    {
        // Some at a time: a program that never stops writing must not keep us from looking at the clock.
        std::string text;
        while (pipe_.read_end >= 0 && text.size() < kMostAtOnce && read_some(pipe_.read_end, text)) {
        }
        output_.take(text);
    }
    /// The program has ended: what is there counts. Returns the last line.
    std::string finish()
    {
        take();
        output_.finish();
        return output_.last_line();
    }

private:
    static constexpr std::size_t kMostAtOnce = 64U << 10U;

    /// A process that the program left behind, such as a server that a hook started, must not die or wait
    /// because nobody reads what it writes, now or after our own end: a process of its own reads it.
    void leave()
    {
        if (pipe_.read_end < 0) return;
        const int fd = std::exchange(pipe_.read_end, -1);
        const pid_t child = fork();
        if (child == 0) {
            if (fork() != 0) _exit(0); // its parent is init, which reaps it
            dup2(fd, STDIN_FILENO);
            close_range(STDOUT_FILENO, ~0U, 0);
            fcntl(STDIN_FILENO, F_SETFL, 0);
            char buffer[4096];
            for (;;) {
                const auto count = read(STDIN_FILENO, buffer, sizeof buffer);
                if (count == 0 || (count < 0 && errno != EINTR)) _exit(0);
            }
        }
        close(fd);
        if (child > 0) waitpid(child, nullptr, 0);
    }

    Pipe pipe_;
    ProgramOutput output_;
};

/// A descriptor that becomes readable when the process ends. None if the kernel has no such descriptors:
/// poll(2) then ignores it.
Descriptor end_of(pid_t process)
{
    return Descriptor{static_cast<int>(syscall(SYS_pidfd_open, process, 0))};
}

/// Waits for the child at most `time`; true if it ended.
bool reap(pid_t child, const std::string& program, int& status, Milliseconds time, Said& said,
          Context& context, bool heed_signals)
{
    const auto began = std::chrono::steady_clock::now();
    const auto end = began + time;
    const Wait wait{program.substr(program.rfind('/') + 1), began, end};
    const auto ended = end_of(child);
    for (;;) {
        if (waitpid(child, &status, WNOHANG) == child) return true;
        const auto left = std::chrono::ceil<Milliseconds>(end - std::chrono::steady_clock::now());
        if (left.count() <= 0 || (heed_signals && context.interrupted())) return false;
        context.waiting(wait);
        pollfd ready[2] = {{ended.get(), POLLIN, 0}, said.entry()};
        poll(ready, 2, static_cast<int>(std::min(left, kLook).count()));
        said.take();
    }
}

/// Starts the command in a separate process group.
Result<pid_t> start(const Command& command, const Streams& streams)
{
    auto arguments = command.arguments;
    const std::string program = arguments.front();
    auto environment = command.environment;
    for (const char* name : {"PATH", "HOME", "LANG", "TMPDIR"})
        if (const char* value = std::getenv(name)) environment.push_back(fmt::format("{}={}", name, value));
    // Our own stay as they are: of two with one name, some shells take the last.
    for (const auto& name : command.inherit) {
        const bool ours = std::any_of(environment.begin(), environment.end(),
                                      [&](const auto& entry) { return entry.starts_with(name + "="); });
        if (const char* value = std::getenv(name.c_str()); value != nullptr && !ours)
            environment.push_back(fmt::format("{}={}", name, value));
    }
    const auto argument_pointers = pointers_of(arguments);
    const auto environment_pointers = pointers_of(environment);

    int report[2];
    if (pipe2(report, O_CLOEXEC) != 0)
        return fail(Errc::internal, fmt::format("{}: pipe: {}", program, std::strerror(errno)));
    const pid_t child = fork();
    if (child == 0) become(argument_pointers.data(), environment_pointers.data(), report[1], streams);
    close(report[1]);
    int problem = 0;
    const bool failed = child < 0 || read(report[0], &problem, sizeof problem) == sizeof problem;
    close(report[0]);
    if (!failed) return child;
    int status = 0;
    if (child > 0) waitpid(child, &status, 0);
    return fail(Errc::config,
                fmt::format("{}: cannot be run: {}", program, std::strerror(child < 0 ? errno : problem)),
                "give the path of a file that exists and is executable", "programNotFound");
}

void end(pid_t child, const std::string& program, Said& said, Context& context)
{
    int status = 0;
    kill(-child, SIGTERM);
    if (!reap(child, program, status, kGrace, said, context, false)) {
        kill(-child, SIGKILL);
        waitpid(child, &status, 0);
    }
    kill(-child, SIGKILL); // what the program left behind in its group
}

/// Waits for the end of a program, and ends it if it takes too long.
Result<int> finish_with(pid_t child, const Command& command, Milliseconds time, Said& said, Context& context,
                        bool finish)
{
    const auto& program = command.arguments.front();
    int status = 0;
    if (!reap(child, program, status, time, said, context, !finish)) {
        end(child, program, said, context);
        if (!finish && context.interrupted()) return fail(interrupted_error(program));
        return fail(Errc::unavailable, fmt::format("{}: killed, because it had not ended in time", program),
                    "find out why it waits, or give it more time", Cause::program_timeout);
    }
    if (WIFSIGNALED(status))
        return fail(Errc::unavailable, fmt::format("{}: ended by signal {}", program, WTERMSIG(status)), {},
                    "programSignal");
    return WEXITSTATUS(status);
}

/// Writes `input` and reads the output until its end, the program's end, or `until`. False at the limit or
/// the end of time.
///
/// A process that the program left behind may hold the output open: what is there when the program has ended
/// counts.
bool exchange(pid_t child, Pipe& in, Pipe& out, Said& said, std::string_view input, std::size_t limit,
              std::string& output, std::chrono::steady_clock::time_point until, const Context& context)
{
    fcntl(in.write_end, F_SETFL, O_NONBLOCK);
    fcntl(out.read_end, F_SETFL, O_NONBLOCK);
    const auto ended = end_of(child);
    bool over = false;
    while (out.read_end >= 0 && !over) {
        if (std::chrono::steady_clock::now() >= until || context.interrupted()) return false;
        if (input.empty()) Pipe::close_end(in.write_end);
        pollfd ready[4] = {
            {out.read_end, POLLIN, 0}, {in.write_end, POLLOUT, 0}, {ended.get(), POLLIN, 0}, said.entry()};
        poll(ready, 4, static_cast<int>(kLook.count()));
        said.take();
        if (in.write_end >= 0 && ready[1].revents != 0) {
            const auto written = write(in.write_end, input.data(), input.size());
            if (written > 0) input.remove_prefix(static_cast<std::size_t>(written));
            if (written < 0 && errno != EAGAIN && errno != EINTR) input = {}; // it does not want to read
        }
        siginfo_t info{};
        over = waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
               info.si_pid == child;
        while (out.read_end >= 0 && output.size() <= limit && read_some(out.read_end, output)) {
        }
        if (output.size() > limit) return false;
    }
    return true;
}

tl::unexpected<Error> no_pipe(const Command& command)
{
    return fail(Errc::internal, fmt::format("{}: pipe: {}", command.arguments.front(), std::strerror(errno)));
}

/// What is left of the run ends a program sooner (SEC-32); one that cleans up has a little longer.
Milliseconds time_for(const Command& command, const Context& context, bool finish = false)
{
    constexpr std::chrono::seconds kForCleaningUp{10};
    auto end = context.run_ends();
    if (!end) return command.timeout;
    if (finish || command.completes) *end = std::max(*end, context.steady_now()) + kForCleaningUp;
    const auto left = std::chrono::ceil<Milliseconds>(*end - context.steady_now());
    return std::clamp(left, Milliseconds{0}, command.timeout);
}

} // namespace

bool is_variable_name(std::string_view name)
{
    constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
    constexpr std::string_view kOthers = "0123456789";
    return !name.empty() && kLetters.find(name.front()) != std::string_view::npos &&
           std::all_of(name.begin(), name.end(), [&](char c) {
               return kLetters.find(c) != std::string_view::npos || kOthers.find(c) != std::string_view::npos;
           });
}

Result<Ended> run_program(const Command& command, Context& context, bool finish)
{
    const auto time = time_for(command, context, finish);
    Said said{command, context};
    if (!said.is_open()) return no_pipe(command);
    ACMETOOL_TRY(child, start(command, {.err = said.write_end()}));
    said.started();
    ACMETOOL_TRY(status, finish_with(child, command, time, said, context, finish));
    return Ended{status, said.finish()};
}

Result<Filtered> run_filter(const Command& command, std::string_view input, std::size_t limit,
                            Context& context)
{
    Pipe in;
    Pipe out;
    Said said{command, context};
    if (in.read_end < 0 || out.read_end < 0 || !said.is_open()) return no_pipe(command);
    const auto until = std::chrono::steady_clock::now() + time_for(command, context);
    ACMETOOL_TRY(child, start(command, {in.read_end, out.write_end, said.write_end()}));
    Pipe::close_end(in.read_end);
    Pipe::close_end(out.write_end);
    said.started();
    Filtered result;
    const bool complete = exchange(child, in, out, said, input, limit, result.output, until, context);
    if (!complete && result.output.size() > limit) {
        end(child, command.arguments.front(), said, context);
        return fail(Errc::protocol,
                    fmt::format("{}: more than {} octets of output", command.arguments.front(), limit),
                    "check that the program only prints a certificate", "programOutput");
    }
    const auto left = std::chrono::duration_cast<Milliseconds>(until - std::chrono::steady_clock::now());
    auto status = finish_with(child, command, std::max(left, Milliseconds{0}), said, context, false);
    kill(-child, SIGKILL); // what the program left behind in its group
    if (!status) return fail(std::move(status).error());
    result.status = *status;
    result.last_line = said.finish();
    return result;
}

} // namespace acmetool::base
