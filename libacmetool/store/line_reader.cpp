#include "store/line_reader.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

#include <fmt/core.h>

#include "base/text.h"
#include "store/special_file.h"

namespace acmetool::store
{
namespace
{

constexpr std::size_t kLongestLine = 64U << 10U;

/// True once there is something to read, or the end.
bool is_ready(int fd)
{
    constexpr int kLookUp = 100; // milliseconds
    pollfd ready{fd, POLLIN, 0};
    return poll(&ready, 1, kLookUp) > 0;
}

} // namespace

Result<LinesRead>
read_lines(const std::string& path, base::Context& context,
           const std::function<Result<void>(std::string_view line, std::uint64_t number)>& take)
{
    const bool is_input = path == "-";
    const auto what = is_input ? std::string{"standard input"} : path;
    // A blocking open() of a pipe waits for a writer in silence, and signals do not end it.
    const Descriptor file{is_input ? -1 : open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)};
    if (!is_input && file.get() < 0) return system_error(Errc::bad_input, path, "cannot be opened");
    const int fd = is_input ? STDIN_FILENO : file.get();
    if (is_input && isatty(fd) == 1)
        context.log(base::Level::info, "reading from the terminal; end with Ctrl-D");
    const base::Wait wait{what, std::chrono::steady_clock::now(), {}};
    LinesRead read;
    const auto give = [&](std::string_view line) {
        if (read.lines == 0) line = base::without_byte_order_mark(line);
        return take(line, ++read.lines);
    };
    std::string rest;
    char buffer[65536];
    for (;;) {
        while (!is_ready(fd)) {
            if (context.interrupted()) return fail(base::interrupted_error(what));
            context.waiting(wait);
        }
        if (context.interrupted()) return fail(base::interrupted_error(what));
        const auto got = ::read(fd, buffer, sizeof buffer);
        if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (got < 0) return system_error(Errc::io, what, "cannot be read");
        if (got == 0) break;
        rest.append(buffer, static_cast<std::size_t>(got));
        std::size_t begin = 0;
        for (auto end = rest.find('\n'); end != std::string::npos; end = rest.find('\n', begin)) {
            ACMETOOL_CHECK(give(std::string_view{rest}.substr(begin, end - begin)));
            begin = end + 1;
        }
        rest.erase(0, begin);
        if (rest.size() > kLongestLine)
            return fail(Errc::bad_input, fmt::format("{}: line {}: longer than {} KiB", what, read.lines + 1,
                                                     kLongestLine >> 10U));
    }
    read.is_cut = !rest.empty();
    if (read.is_cut) ACMETOOL_CHECK(give(rest));
    return read;
}

} // namespace acmetool::store
