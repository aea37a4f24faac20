#pragma once

#include <optional>
#include <string>
#include <string_view>

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
    /// The lock of the one server on `folder`, which is made if need be. Says what it waits for as a warning.
    /// Errors: cannot_create, io, interrupted.
    static Result<FileLock> acquire_in(const std::string& folder, std::string_view name,
                                       base::Context& context);

    /// What `holder()` tells of this process besides its number: one line.
    void note(std::string_view line);
    struct Holder {
        int process = 0;  ///< 0: it has not written that yet
        std::string note; ///< empty: none yet
    };
    /// Who holds the lock on `path`; nothing where nobody does.
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
