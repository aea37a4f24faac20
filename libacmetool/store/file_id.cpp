#include "store/file_id.h"

#include <sys/stat.h>

#include <fmt/core.h>

namespace acmetool::store
{

std::string FileId::text() const
{
    return fmt::format("{}:{}", device, inode);
}

std::optional<FileId> file_id(const std::string& path, Links links)
{
    struct stat found = {};
    const int failed = links == Links::followed ? stat(path.c_str(), &found) : lstat(path.c_str(), &found);
    if (failed != 0) return std::nullopt;
    return FileId{found.st_dev, found.st_ino};
}

} // namespace acmetool::store
