#include "store/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/core.h>

namespace acmetool::store
{

Result<FileLock> FileLock::acquire(const std::string& path, base::Context& context)
{
    constexpr base::Milliseconds kLookAgain{20};
    FileLock lock;
    lock.fd_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock.fd_ < 0)
        return fail(Errc::io, fmt::format("{}: cannot be opened: {}", path, std::strerror(errno)));
    const auto began = context.steady_now();
    while (flock(lock.fd_, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return fail(Errc::io, fmt::format("{}: cannot be locked: {}", path, std::strerror(errno)));
        ACMETOOL_CHECK(
            context.sleep(kLookAgain, {fmt::format("another run that holds {}", path), began, {}}));
    }
    return lock;
}

FileLock::FileLock(FileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

FileLock& FileLock::operator=(FileLock&& other) noexcept
{
    std::swap(fd_, other.fd_);
    return *this;
}

FileLock::~FileLock()
{
    if (fd_ >= 0) close(fd_);
}

} // namespace acmetool::store
