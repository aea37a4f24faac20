#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/context.h"
#include "base/result.h"

namespace acmetool::store
{

/// An exclusive lock between processes (flock), held until destroyed. The system releases it when the process
/// ends, however that happens.
class ACMETOOL_EXPORT FileLock
{
public:
    FileLock() = default; ///< locks nothing
    /// Waits for the lock on `path`, which is created if absent and never removed. The file contains the
    /// holder's process, which is logged at the level `told`. Errors: io, interrupted.
    static Result<FileLock> acquire(const std::string& path, base::Context& context,
                                    base::Level told = base::Level::detail);
    /// The lock of the only server on `folder`, which is created if absent. Logs the wait as a warning.
    /// Errors: cannot_create, io, interrupted.
    static Result<FileLock> acquire_in(const std::string& folder, std::string_view name,
                                       base::Context& context);

    /// One line about this process that `holder()` returns besides its number.
    void note(std::string_view line);
    struct Holder {
        int process = 0;  ///< 0: not written yet
        std::string note; ///< empty: none yet
    };
    /// The holder of the lock on `path`; nothing if it is not locked.
    static std::optional<Holder> holder(const std::string& path);

    FileLock(FileLock&& other) noexcept;
    FileLock& operator=(FileLock&& other) noexcept;
    FileLock(const FileLock&) = delete;
    FileLock& operator=(const FileLock&) = delete;
    ~FileLock();

private:
    int fd_ = -1;
};

} // namespace acmetool::store
