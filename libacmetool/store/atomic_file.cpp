#include "store/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include <fmt/core.h>

#include "base/output.h"

namespace acmetool::store
{
namespace
{

constexpr std::size_t kLargestFile = 16U << 20U;

class Descriptor
{
public:
    explicit Descriptor(int fd) : fd_(fd) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor()
    {
        if (fd_ >= 0) close(fd_);
    }
    int get() const { return fd_; }

private:
    int fd_;
};

/// Unlinks the temporary unless it found its place.
class Temporary
{
public:
    explicit Temporary(std::string path) : path_(std::move(path)) {}
    Temporary(const Temporary&) = delete;
    Temporary& operator=(const Temporary&) = delete;
    ~Temporary() { unlink(path_.c_str()); }
    const std::string& path() const { return path_; }

private:
    std::string path_;
};

tl::unexpected<Error> system_error(Errc code, const std::string& path, const char* what)
{
    const int problem = errno;
    const bool full = problem == ENOSPC || problem == EDQUOT || problem == EFBIG;
    return fail(full ? Errc::io : code, fmt::format("{}: {}: {}", path, what, std::strerror(problem)),
                full ? "make room there, then run the same command again" : "", full ? "diskFull" : "");
}

std::string folder_of(const std::string& path)
{
    const auto folder = std::filesystem::path{path}.parent_path().string();
    return folder.empty() ? "." : folder;
}

Result<void> write_all(int fd, std::string_view text, const std::string& path, Durability durability)
{
    if (errno = base::write_all(fd, text); errno != 0)
        return system_error(Errc::io, path, "cannot be written");
    if (durability == Durability::durable && fsync(fd) != 0 && errno != EINVAL && errno != EROFS &&
        errno != ENOTSUP)
        return system_error(Errc::io, path, "cannot be written");
    return {};
}

/// A temporary beside `path` that holds `text`.
Result<void> write_temporary(const std::string& temporary, int fd, std::string_view text, mode_t mode,
                             Durability durability)
{
    const Descriptor file{fd};
    if (fchmod(file.get(), mode) != 0) return system_error(Errc::io, temporary, "mode cannot be set");
    return write_all(file.get(), text, temporary, durability);
}

void sync_folder(const std::string& path)
{
    const Descriptor folder{open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (folder.get() >= 0) fsync(folder.get());
}

} // namespace

Result<std::string> read_file(const std::string& path)
{
    const Descriptor file{open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    if (file.get() < 0) return system_error(Errc::io, path, "cannot be opened");
    std::string text;
    char buffer[16384];
    for (;;) {
        const auto got = read(file.get(), buffer, sizeof buffer);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return system_error(Errc::io, path, "cannot be read");
        if (got == 0) return text;
        text.append(buffer, static_cast<std::size_t>(got));
        if (text.size() > kLargestFile) return fail(Errc::io, fmt::format("{}: longer than 16 MiB", path));
    }
}

Result<void> write_atomically(const std::string& path, std::string_view text, mode_t mode,
                              Durability durability)
{
    // Through a link: what it points to is replaced, and the link stays.
    std::error_code none;
    const auto target = std::filesystem::is_symlink(path, none)
                            ? std::filesystem::weakly_canonical(path, none).string()
                            : path;
    // A device or a pipe is written to: replacing /dev/null by a file would be a bad surprise.
    if (std::filesystem::exists(target, none) && !std::filesystem::is_regular_file(target, none)) {
        const Descriptor device{open(target.c_str(), O_WRONLY | O_CLOEXEC)};
        if (device.get() < 0) return system_error(Errc::cannot_create, path, "cannot be opened");
        return write_all(device.get(), text, path, durability);
    }
    std::string name = target + ".XXXXXX";
    const int fd = mkostemp(name.data(), O_CLOEXEC);
    if (fd < 0) return system_error(Errc::cannot_create, path, "cannot be created");
    const Temporary temporary{name};
    ACMETOOL_CHECK(write_temporary(temporary.path(), fd, text, mode, durability));
    if (rename(temporary.path().c_str(), target.c_str()) != 0)
        return system_error(Errc::cannot_create, path, "cannot be replaced");
    if (durability == Durability::durable) sync_folder(target);
    return {};
}

Result<void> create_secret(const std::string& path, std::string_view text)
{
    std::string name = path + ".XXXXXX";
    const int fd = mkostemp(name.data(), O_CLOEXEC);
    if (fd < 0) return system_error(Errc::cannot_create, path, "cannot be created");
    const Temporary temporary{name};
    ACMETOOL_CHECK(write_temporary(temporary.path(), fd, text, 0600, Durability::durable));
    // link() fails where the name is taken, which rename() would not.
    if (link(temporary.path().c_str(), path.c_str()) != 0) {
        if (errno == EEXIST)
            return fail(Errc::cannot_create, fmt::format("{}: exists already", path), {}, "fileExists");
        return system_error(Errc::cannot_create, path, "cannot be created");
    }
    sync_folder(path);
    return {};
}

} // namespace acmetool::store
