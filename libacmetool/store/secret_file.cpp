#include "store/secret_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include <fmt/core.h>

namespace acmetool::store
{
namespace
{

constexpr mode_t kOthers = 077;

bool is_on_read_only_mount(const std::string& path)
{
    struct statvfs info {
    };
    return statvfs(path.c_str(), &info) == 0 && (info.f_flag & ST_RDONLY) != 0;
}

/// True for a file that is mounted by itself, as container engines mount secrets.
bool is_mounted(const std::string& path)
{
    struct statx info {
    };
    return statx(AT_FDCWD, path.c_str(), 0, STATX_BASIC_STATS, &info) == 0 &&
           (info.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

/// Empty if the program is no service with credentials.
std::filesystem::path credentials_folder()
{
    const char* folder = std::getenv("CREDENTIALS_DIRECTORY");
    return folder == nullptr ? "" : folder;
}

bool is_credential(const std::string& path)
{
    const auto folder = credentials_folder();
    if (folder.empty()) return false;
    std::error_code none;
    const auto inside = std::filesystem::relative(path, folder, none);
    return !inside.empty() && *inside.begin() != "..";
}

} // namespace

std::optional<Exposure> exposure_of(const std::string& path)
{
    struct stat info {
    };
    if (stat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode) || (info.st_mode & kOthers) == 0)
        return std::nullopt;
    Exposure exposure;
    exposure.text = fmt::format("{}: accessible to other users (mode {:04o})", path, info.st_mode & 07777);
    exposure.is_ours =
        info.st_uid == geteuid() && !is_on_read_only_mount(path) && !is_mounted(path) && !is_credential(path);
    exposure.hint =
        exposure.is_ours
            ? fmt::format("chmod 600 {}", path)
            : "whoever provides this file should let only this program's user read it (mode 0400)";
    return exposure;
}

std::optional<std::string> credential(const std::string& name)
{
    const auto folder = credentials_folder();
    if (folder.empty() || name.empty() || name.find('/') != std::string::npos) return std::nullopt;
    const auto file = folder / name;
    std::error_code none;
    if (!std::filesystem::is_regular_file(file, none)) return std::nullopt;
    return file.string();
}

void warn_if_exposed(const std::string& path, std::string_view what, base::Context& context)
{
    if (const auto exposure = exposure_of(path))
        context.log(base::Level::warning, fmt::format("{} {}; {}", what, exposure->text, exposure->hint));
}

} // namespace acmetool::store
