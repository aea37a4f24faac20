#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "base/context.h"
#include "base/result.h"

namespace acmetool::store
{

/// The content of a file of at most 16 MiB. Errc::io with the system's message.
ACMETOOL_EXPORT Result<std::string> read_file(const std::string& path);

enum class Durability {
    durable, ///< survives a power failure once the call has returned
    cache,   ///< after a power failure the file may have the old content or be empty; saves an fsync
};

/// Replaces the content of `path` with `text`: a temporary file beside it, fsync, rename, fsync of the
/// folder. At any moment the file has either the old or the new content, and a failure leaves nothing behind.
/// Devices and pipes are written to directly. Errors: cannot_create (the folder cannot be written, or the
/// pipe has no reader), io (disk full).
ACMETOOL_EXPORT Result<void> write_atomically(const std::string& path, std::string_view text, mode_t mode,
                                              Durability durability = Durability::durable);

/// The same for an output given by a user, which may be a pipe: waits for its reader and reports the wait to
/// `context`. Errors: also interrupted.
ACMETOOL_EXPORT Result<void> write_output(const std::string& path, std::string_view text, mode_t mode,
                                          base::Context& context);

/// Creates a file that must not exist yet (O_EXCL) with mode 0600, durable when it returns; for private keys.
/// The content appears completely or not at all. Errors: cannot_create (reason "fileExists" if it exists),
/// io.
ACMETOOL_EXPORT Result<void> create_secret(const std::string& path, std::string_view text);

} // namespace acmetool::store
