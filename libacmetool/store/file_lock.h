#pragma once

#include <string>

#include "base/context.h"
#include "base/result.h"

namespace acmetool::store
{

/// An exclusive lock between processes (flock), held until it goes. It goes with the process, too, however
/// that ends.
class ACMETOOL_EXPORT FileLock
{
public:
    FileLock() = default; ///< locks nothing
    /// Waits for the lock on `path` (made if need be, and left there), and says for which process, which is
    /// what the file holds, at the level `told`. Errors: io, interrupted.
    static Result<FileLock> acquire(const std::string& path, base::Context& context,
                                    base::Level told = base::Level::detail);

    FileLock(FileLock&& other) noexcept;
    FileLock& operator=(FileLock&& other) noexcept;
    FileLock(const FileLock&) = delete;
    FileLock& operator=(const FileLock&) = delete;
    ~FileLock();

private:
    int fd_ = -1;
};

} // namespace acmetool::store
