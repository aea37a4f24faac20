// bench-measure RUNS [--stdin FILE] [--before SCRIPT] -- COMMAND... [-- COMMAND...]...
//
// Runs the commands in turn, RUNS times, and prints one line for each: medians of wall seconds, CPU seconds
// (user and system, of the process and the children it waited for) and peak RSS in MiB, then how many runs
// failed. Output of the commands is thrown away. SCRIPT is run by /bin/sh before each command, unmeasured,
// with the command's number from 0 as its last word.
#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

extern char** environ;

namespace
{

using Command = std::vector<char*>; ///< ends with a null pointer

struct Samples {
    std::vector<double> wall;
    std::vector<double> cpu;
    std::vector<double> rss;
    int failures = 0;
};

double seconds(const timeval& time)
{
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

double median(std::vector<double> values)
{
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

void run(const Command& command, const char* input, Samples& samples)
{
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, input, O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
    const auto begin = std::chrono::steady_clock::now();
    pid_t child = 0;
    int status = -1;
    rusage usage{};
    if (posix_spawnp(&child, command.front(), &files, nullptr, command.data(), environ) == 0)
        wait4(child, &status, 0, &usage);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    posix_spawn_file_actions_destroy(&files);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) ++samples.failures;
    samples.wall.push_back(took.count());
    samples.cpu.push_back(seconds(usage.ru_utime) + seconds(usage.ru_stime));
    samples.rss.push_back(static_cast<double>(usage.ru_maxrss) / 1024);
}

} // namespace

int main(int argc, char** argv)
{
    const int runs = argc > 1 ? std::atoi(argv[1]) : 0;
    const char* input = "/dev/null";
    std::string before;
    int at = 2;
    for (; at + 1 < argc && std::string_view{argv[at]} != "--"; at += 2) {
        if (std::string_view{argv[at]} == "--stdin") input = argv[at + 1];
        if (std::string_view{argv[at]} == "--before") before = argv[at + 1];
    }
    std::vector<Command> commands;
    for (; at < argc; ++at) {
        if (std::string_view{argv[at]} == "--")
            commands.emplace_back();
        else if (!commands.empty())
            commands.back().push_back(argv[at]);
    }
    if (runs < 1 || commands.empty()) {
        std::fputs("usage: bench-measure RUNS [--stdin FILE] [--before SCRIPT] -- COMMAND... [-- ...]\n",
                   stderr);
        return 64;
    }
    for (auto& command : commands)
        command.push_back(nullptr);
    std::vector<Samples> samples(commands.size());
    for (int i = 0; i < runs; ++i)
        for (std::size_t j = 0; j < commands.size(); ++j) {
            if (!before.empty() && std::system((before + " " + std::to_string(j)).c_str()) != 0) return 70;
            run(commands[j], input, samples[j]);
        }
    for (const auto& sample : samples)
        std::printf("%.4f %.4f %.1f %d\n", median(sample.wall), median(sample.cpu), median(sample.rss),
                    sample.failures);
}
