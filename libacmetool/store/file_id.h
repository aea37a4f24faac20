#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "acmetool/export.h"

namespace acmetool::store
{

/// The identity of a file, independent of its name.
struct FileId {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;

    bool operator==(const FileId&) const = default;
    std::string text() const; ///< "2049:131077"
};

enum class Links {
    followed,
    as_such, ///< do not follow symbolic links
};

/// The file at the end of a path; nothing if there is none.
ACMETOOL_EXPORT std::optional<FileId> file_id(const std::string& path, Links links = Links::followed);

} // namespace acmetool::store
