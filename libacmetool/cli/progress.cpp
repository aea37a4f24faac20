#include "cli/progress.h"

#include <sys/ioctl.h>

#include <algorithm>

#include <fmt/core.h>

#include "base/text.h"

namespace acmetool::cli
{
namespace
{

bool begins_character(char c)
{
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
}

std::size_t width(const std::string& text)
{
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), begins_character));
}

/// At most `room` characters, the last two are dots if something is omitted.
std::string cut(const std::string& text, std::size_t room)
{
    if (width(text) <= room) return text;
    std::size_t kept = 0;
    for (std::size_t count = 0; kept < text.size(); ++kept)
        if (begins_character(text[kept]) && ++count + 2 > room) break;
    return text.substr(0, kept) + "..";
}

} // namespace

std::size_t terminal_columns(int fd)
{
    constexpr std::size_t kUsual = 80;
    winsize size{};
    return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : kUsual;
}

std::string progress_line(const base::Wait& wait, std::chrono::steady_clock::time_point now,
                          std::size_t columns)
{
    constexpr std::size_t kLongestSubject = 300;
    const auto seconds = [](auto duration) {
        return base::describe(std::chrono::floor<std::chrono::seconds>(duration));
    };
    const std::size_t room = std::max<std::size_t>(columns, 20) - 1; // the cursor takes one
    const auto subject = "waiting for " + base::printable(wait.what, kLongestSubject);
    auto times = fmt::format(": {} so far", seconds(now - wait.since));
    if (wait.until) {
        const auto most = fmt::format(", for {} more at most", seconds(*wait.until - now));
        if (width(subject) + times.size() + most.size() <= room) times += most;
    }
    return cut(subject, room - std::min(times.size(), room)) + times;
}

} // namespace acmetool::cli
