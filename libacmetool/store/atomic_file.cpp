#include "store/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include <fmt/core.h>

#include "base/output.h"
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

namespace
{

Result<void> replace(const std::string& path, std::string_view text, mode_t mode, Durability durability,
                     base::Context* context)
{
    // Devices and pipes are written to: /dev/null must not be replaced with a file. The target of a link such
    // as /dev/stdout need not be a path.
    if (is_special(path)) {
        ACMETOOL_TRY(device, open_special(path, context));
        return write_special(device, text, path, context);
    }
    // Through a link: what it points to is replaced, and the link stays.
    std::error_code none;
    const auto target = std::filesystem::is_symlink(path, none)
                            ? std::filesystem::weakly_canonical(path, none).string()
                            : path;
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

} // namespace

Result<void> write_atomically(const std::string& path, std::string_view text, mode_t mode,
                              Durability durability)
{
    return replace(path, text, mode, durability, nullptr);
}

Result<void> write_output(const std::string& path, std::string_view text, mode_t mode, base::Context& context)
{
    return replace(path, text, mode, Durability::durable, &context);
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
