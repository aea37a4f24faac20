#include "store/atomic_file.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>
#include <random>

#include <fmt/core.h>

#include "base/output.h"
#include "base/stop.h"
#include "store/special_file.h"

namespace acmetool::store
{
namespace
{

constexpr std::size_t kLargestFile = 16U << 20U;

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

std::string folder_of(const std::string& path)
{
    const auto folder = std::filesystem::path{path}.parent_path().string();
    return folder.empty() ? "." : folder;
}

using Fill = std::function<Result<void>(const Put&)>;

Fill filled_with(std::string_view text)
{
    return [text](const Put& put) { return put(text); };
}

/// Writes all that `fill` puts. Nothing of an old content that was longer stays.
Result<void> write_all(int fd, const Fill& fill, const std::string& path, Durability durability)
{
    off_t size = 0;
    ACMETOOL_CHECK(fill([&](std::string_view piece) -> Result<void> {
        if (errno = base::write_all(fd, piece); errno != 0)
            return system_error(Errc::io, path, "cannot be written");
        size += static_cast<off_t>(piece.size());
        return {};
    }));
    struct stat info {
    };
    // Before the sync: what is synced must not have the end of the old file.
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_size > size && ftruncate(fd, size) != 0)
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
    return write_all(file.get(), filled_with(text), temporary, durability);
}

void sync_folder(const std::string& path)
{
    const Descriptor folder{open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (folder.get() >= 0) fsync(folder.get());
}

/// A named pipe: another process may open it later. An unnamed one, as "<(...)" of a shell, gets no writer
/// once it has none.
bool may_get_writer(const Descriptor& file)
{
    struct stat status {
    };
    struct statfs system {
    };
    return fstat(file.get(), &status) == 0 && S_ISFIFO(status.st_mode) && fstatfs(file.get(), &system) == 0 &&
           system.f_type != PIPEFS_MAGIC;
}

/// Waits until there is something to read; false if nothing follows. A writer has as much time as it needs (a
/// passphrase may be asked for), but one has to be there within ten seconds if `needs_writer`.
Result<bool> wait_for_writer(const Descriptor& file, const std::string& path, bool needs_writer)
{
    constexpr int kLookUp = 100; // milliseconds
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{10};
    for (;;) {
        if (base::stop_signal() != 0) return fail(base::interrupted_error(path));
        pollfd ready{file.get(), POLLIN, 0};
        if (poll(&ready, 1, kLookUp) > 0) return (ready.revents & POLLIN) != 0;
        if (needs_writer && std::chrono::steady_clock::now() >= end)
            return fail(Errc::io, fmt::format("{}: no program writes into this pipe", path),
                        "name a file, or start the program that writes", "noWriter");
    }
}

} // namespace

Result<std::string> read_file(const std::string& path)
{
    // A blocking open() of a pipe waits for a writer in silence, and signals do not end it.
    const Descriptor file{open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)};
    if (file.get() < 0) return system_error(Errc::io, path, "cannot be opened");
    std::string text;
    char buffer[16384];
    for (;;) {
        const auto got = read(file.get(), buffer, sizeof buffer);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && errno != EAGAIN) return system_error(Errc::io, path, "cannot be read");
        if (got > 0) text.append(buffer, static_cast<std::size_t>(got));
        if (text.size() > kLargestFile) return fail(Errc::io, fmt::format("{}: longer than 16 MiB", path));
        if (got > 0) continue;
        if (got == 0 && (!text.empty() || !may_get_writer(file))) return text;
        ACMETOOL_TRY(more, wait_for_writer(file, path, got == 0));
        if (!more) return text;
    }
}

namespace
{

/// A new file beside `target`, whose mode is `mode` as the umask allows; its name is put into `name`. -1 with
/// errno.
int create_beside(const std::string& target, mode_t mode, std::string& name)
{
    constexpr int kTries = 100;
    for (int i = 0; i < kTries; ++i) {
        name = fmt::format("{}.{:08x}", target, std::random_device{}());
        const int fd = open(name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
        if (fd >= 0 || errno != EEXIST) return fd;
    }
    return -1;
}

/// Replaces the content of one file.
class Replacement
{
public:
    /// With `context`, the file is an output of a user.
    Replacement(const std::string& path, mode_t mode, Durability durability, base::Context* context)
        : path_(path), mode_(mode), durability_(durability), context_(context)
    {
        // Through a link: what it points to is replaced, and the link stays.
        std::error_code none;
        target_ = std::filesystem::is_symlink(path, none)
                      ? std::filesystem::weakly_canonical(path, none).string()
                      : path;
        exists_ = stat(target_.c_str(), &old_) == 0;
    }

    Result<void> write(const Fill& fill)
    {
        std::string name;
        const int fd = create_beside(target_, mode_, name);
        if (fd < 0) return in_place(fill, "cannot be created", "its folder cannot be written");
        const Descriptor file{fd};
        const Temporary temporary{name};
        if (context_ != nullptr && exists_ && !is_owned_alike(fd) &&
            fchown(fd, old_.st_uid, old_.st_gid) != 0)
            return in_place(fill, "its owner cannot be kept", "its owner could not be kept otherwise");
        if (const auto mode = exact_mode(); mode && fchmod(fd, *mode) != 0)
            return system_error(Errc::io, path_, "mode cannot be set");
        ACMETOOL_CHECK(write_all(fd, fill, path_, durability_));
        if (rename(name.c_str(), target_.c_str()) != 0)
            return in_place(fill, "cannot be replaced", "it is a mount of its own");
        if (durability_ == Durability::durable) sync_folder(target_);
        return {};
    }

private:
    bool is_owned_alike(int fd) const
    {
        struct stat made {
        };
        return fstat(fd, &made) == 0 && made.st_uid == old_.st_uid && made.st_gid == old_.st_gid;
    }

    /// The mode that the file must have; none: the umask decides. A secret is never as open as its
    /// predecessor.
    std::optional<mode_t> exact_mode() const
    {
        const bool is_secret = (mode_ & 077) == 0;
        if (context_ == nullptr || is_secret) return mode_;
        return exists_ ? std::optional<mode_t>{old_.st_mode & 07777} : std::nullopt;
    }

    /// Writes into the existing file if it can be opened and `errno` says that nothing but replacing it
    /// failed; else fails with `errno` and `what`.
    Result<void> in_place(const Fill& fill, const char* what, const char* reason)
    {
        const int problem = errno;
        const bool only_replacing =
            problem == EBUSY || problem == EACCES || problem == EPERM || problem == EROFS;
        const Descriptor file{exists_ && only_replacing ? open(target_.c_str(), O_WRONLY | O_CLOEXEC) : -1};
        if (file.get() < 0) {
            errno = problem;
            return system_error(Errc::cannot_create, path_, what);
        }
        if (context_ != nullptr)
            context_->log(
                base::Level::warning,
                fmt::format("{}: written in place, because {}: a power failure now could leave half of it",
                            path_, reason));
        if ((mode_ & 077) == 0 && fchmod(file.get(), mode_) != 0)
            return system_error(Errc::io, path_, "mode cannot be set");
        return write_all(file.get(), fill, path_, durability_);
    }

    std::string path_;
    std::string target_;
    mode_t mode_;
    Durability durability_;
    base::Context* context_;
    bool exists_ = false;
    struct stat old_ {
    };
};

Result<void> replace(const std::string& path, const Fill& fill, mode_t mode, Durability durability,
                     base::Context* context)
{
    // Devices and pipes are written to: /dev/null must not be replaced with a file. The target of a link such
    // as /dev/stdout need not be a path.
    if (is_special(path)) {
        ACMETOOL_TRY(device, open_special(path, context));
        return fill([&](std::string_view piece) { return write_special(device, piece, path, context); });
    }
    return Replacement{path, mode, durability, context}.write(fill);
}

} // namespace

Result<void> check_output_file(const std::string& path)
{
    struct stat info {
    };
    const bool exists = stat(path.c_str(), &info) == 0;
    if (exists && S_ISDIR(info.st_mode))
        return fail(Errc::cannot_create, fmt::format("{}: is a folder", path), "give the name of a file",
                    "outputFolder");
    if (exists && (!S_ISREG(info.st_mode) || ::access(path.c_str(), W_OK) == 0)) return {};
    if (::access((folder_of(path) + "/.").c_str(), W_OK) == 0) return {}; // a folder
    return fail(Errc::cannot_create, fmt::format("{}: cannot be created: {}", path, std::strerror(errno)),
                "choose a file in a writable folder", "outputFolder");
}

Result<void> write_atomically(const std::string& path, std::string_view text, mode_t mode,
                              Durability durability)
{
    return replace(path, filled_with(text), mode, durability, nullptr);
}

Result<void> write_output(const std::string& path, std::string_view text, mode_t mode, base::Context& context)
{
    return replace(path, filled_with(text), mode, Durability::durable, &context);
}

Result<void> write_output(const std::string& path, const std::function<Result<void>(const Put&)>& fill,
                          mode_t mode, base::Context& context)
{
    return replace(path, fill, mode, Durability::durable, &context);
}

Result<void> create_secret(const std::string& path, std::string_view text)
{
    std::string name = path + ".XXXXXX";
    const int fd = mkostemp(name.data(), O_CLOEXEC);
    if (fd < 0) return system_error(Errc::cannot_create, path, "cannot be created");
    const Temporary temporary{name};
    ACMETOOL_CHECK(write_temporary(temporary.path(), fd, text, 0600, Durability::durable));
    // link() fails if the name exists, unlike rename().
    if (link(temporary.path().c_str(), path.c_str()) != 0) {
        if (errno == EEXIST)
            return fail(Errc::cannot_create, fmt::format("{}: already exists", path), {}, Cause::file_exists);
        return system_error(Errc::cannot_create, path, "cannot be created");
    }
    sync_folder(path);
    return {};
}

} // namespace acmetool::store
