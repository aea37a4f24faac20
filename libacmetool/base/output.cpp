#include "base/output.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

namespace acmetool::base
{
namespace
{

constexpr int kLookUp = 100; // milliseconds between calls of `stopped`
} // namespace

void keep_standard_streams()
{
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF) continue;
        // The lowest free number is taken, which is `fd`. Opened the wrong way round, so that use fails.
        if (open("/dev/null", fd == STDOUT_FILENO ? O_RDONLY : O_WRONLY) < 0)
            open("/", O_PATH); // a root directory without /dev
    }
}

bool can_block(int fd)
{
    struct stat status {
    };
    return fstat(fd, &status) != 0 || !S_ISREG(status.st_mode);
}

int write_all(int fd, std::string_view text, const std::function<bool()>& stopped)
{
    if (fd < 0) return EBADF; // poll(2) skips it
    // As much as poll(2) promises to be taken at once: more would block on a pipe whose reader has stopped.
    const bool blocks = can_block(fd);
    const std::size_t piece = blocks ? PIPE_BUF : text.size();
    while (!text.empty()) {
        pollfd ready{fd, POLLOUT, 0};
        const int count = blocks ? poll(&ready, 1, kLookUp) : 1;
        if (count == 0 || (count < 0 && errno == EINTR)) {
            if (stopped && stopped()) return EINTR;
            continue;
        }
        const auto written = write(fd, text.data(), std::min(text.size(), piece));
        if (written < 0 && errno != EINTR && errno != EAGAIN) return errno;
        if (written > 0) text.remove_prefix(static_cast<std::size_t>(written));
    }
    return 0;
}

} // namespace acmetool::base
