#include "store/file_id.h"

#include <sys/stat.h>

#include <fmt/core.h>

namespace acmetool::store
{

std::string FileId::text() const
{
    return fmt::format("{}:{}", device, inode);
}

std::optional<FileId> file_id(const std::string& path)
{
    struct stat found = {};
    if (stat(path.c_str(), &found) != 0) return std::nullopt;
    return FileId{found.st_dev, found.st_ino};
}

} // namespace acmetool::store
