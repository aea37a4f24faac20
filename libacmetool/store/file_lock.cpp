#include "store/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <utility>

#include <fmt/core.h>

#include "base/text.h"

namespace acmetool::store
{
namespace
{

/// The process ID in the lock file; 0 if it was not written yet.
pid_t holder_of(int fd)
{
    char text[16] = {};
    pid_t holder = 0;
    if (const auto got = pread(fd, text, sizeof text, 0); got > 0) std::from_chars(text, text + got, holder);
    return holder;
}

/// Only for information: the lock does not depend on it.
void sign(int fd, std::string_view note)
{
    const auto text = fmt::format("{}\n{}{}", getpid(), note, note.empty() ? "" : "\n");
    if (ftruncate(fd, 0) == 0) static_cast<void>(pwrite(fd, text.data(), text.size(), 0) > 0);
}

std::string describe_holder(const std::string& path, int fd)
{
    const auto holder = holder_of(fd);
    return holder > 0 ? fmt::format("another run (process {}) that holds {}", holder, path)
                      : fmt::format("another run that holds {}", path);
}

} // namespace

Result<FileLock> FileLock::acquire_in(const std::string& folder, std::string_view name,
                                      base::Context& context)
{
    std::error_code failed;
    std::filesystem::create_directories(folder, failed);
    if (failed)
        return fail(Errc::cannot_create, fmt::format("{}: cannot be created: {}", folder, failed.message()));
    return acquire(fmt::format("{}/{}", folder, name), context, base::Level::warning);
}

Result<FileLock> FileLock::acquire(const std::string& path, base::Context& context, base::Level told)
{
    constexpr base::Milliseconds kLookAgain{20};
    FileLock lock;
    lock.fd_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock.fd_ < 0)
        return fail(Errc::io, fmt::format("{}: cannot be opened: {}", path, std::strerror(errno)));
    const auto began = context.steady_now();
    std::string holder;
    while (flock(lock.fd_, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return fail(Errc::io, fmt::format("{}: cannot be locked: {}", path, std::strerror(errno)));
        if (auto now = describe_holder(path, lock.fd_); now != holder) {
            holder = std::move(now);
            context.log(told, fmt::format("waiting for {}", holder));
        }
        ACMETOOL_CHECK(context.sleep(kLookAgain, {holder, began, {}}));
    }
    sign(lock.fd_, {});
    return lock;
}

void FileLock::note(std::string_view line)
{
    sign(fd_, line);
}

std::optional<FileLock::Holder> FileLock::holder(const std::string& path)
{
    FileLock looked;
    looked.fd_ = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (looked.fd_ < 0 || flock(looked.fd_, LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK)
        return std::nullopt;
    Holder holder{holder_of(looked.fd_), {}};
    char text[256] = {};
    if (const auto got = pread(looked.fd_, text, sizeof text, 0); got > 0) {
        const auto lines = base::split({text, static_cast<std::size_t>(got)}, '\n');
        if (lines.size() > 1) holder.note = lines[1];
    }
    return holder;
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
