#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "base/context.h"
#include "base/result.h"

namespace acmetool::store
{

/// All of a file, 16 MiB at most. Errc::io with the system's words.
ACMETOOL_EXPORT Result<std::string> read_file(const std::string& path);

enum class Durability {
    durable, ///< survives a power cut once the call has returned
    cache,   ///< after a power cut it may be the old content or an empty file; an fsync less to wait for
};

/// Replaces `path` by `text`: a temporary beside it, fsync, rename, fsync of the folder. Either the old or
/// the new content is there at any moment, and nothing is left over after a failure. Devices and pipes are
/// written to directly. Errors: cannot_create (the folder cannot be written, or nobody reads the pipe), io
/// (disk full).
ACMETOOL_EXPORT Result<void> write_atomically(const std::string& path, std::string_view text, mode_t mode,
                                              Durability durability = Durability::durable);

/// The same for an output that a user named, which may be a pipe: waits until somebody reads it, and tells
/// `context` so. Errors: interrupted, too.
ACMETOOL_EXPORT Result<void> write_output(const std::string& path, std::string_view text, mode_t mode,
                                          base::Context& context);

/// Makes a file that must not exist yet (O_EXCL), mode 0600, durable when it returns; for private keys. The
/// content appears whole or not at all. Errors: cannot_create (reason "fileExists" where there is one), io.
ACMETOOL_EXPORT Result<void> create_secret(const std::string& path, std::string_view text);

} // namespace acmetool::store
