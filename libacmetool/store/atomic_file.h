#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <string_view>

#include "base/context.h"
#include "base/result.h"

namespace acmetool::store
{

/// The content of a file of at most 16 MiB. Waits for what a program writes into a pipe, until a signal asks
/// the process to stop; a named pipe gets its writer within ten seconds. Errors: io, with the system's
/// message; interrupted.
ACMETOOL_EXPORT Result<std::string> read_file(const std::string& path);

enum class Durability {
    durable, ///< survives a power failure once the call has returned
    cache,   ///< after a power failure the file may have the old content or be empty; saves an fsync
};

/// Replaces the content of `path` with `text`: a temporary file beside it, fsync, rename, fsync of the
/// folder. At any moment the file has either the old or the new content, and a failure leaves nothing behind.
/// Devices and pipes are written to directly, and so is a file that cannot be replaced: a mount of its own,
/// as containers have, or in a folder that cannot be written. The mode is exactly `mode`. Errors:
/// cannot_create (the folder and the file cannot be written, or the pipe has no reader), io (disk full).
ACMETOOL_EXPORT Result<void> write_atomically(const std::string& path, std::string_view text, mode_t mode,
                                              Durability durability = Durability::durable);

/// The same for an output given by a user. It may be a pipe: waits for its reader and reports the wait to
/// `context`. A new file has `mode` as the umask allows, an old one keeps owner and mode, but no other user
/// gets access if `mode` gives none. `context` gets a warning if the file is written directly. Errors: also
/// interrupted.
ACMETOOL_EXPORT Result<void> write_output(const std::string& path, std::string_view text, mode_t mode,
                                          base::Context& context);

/// Takes the next piece of a file.
using Put = std::function<Result<void>(std::string_view piece)>;

/// The same for a content that need not be in memory: `fill` puts one piece after the other. It is called
/// again if the file has to be written directly after all.
ACMETOOL_EXPORT Result<void> write_output(const std::string& path,
                                          const std::function<Result<void>(const Put&)>& fill, mode_t mode,
                                          base::Context& context);

/// Whether write_output() or an append can probably write `path`, before work whose result would be lost:
/// cannot_create ("outputFolder") for a folder, and if neither the file nor its folder can be written.
ACMETOOL_EXPORT Result<void> check_output_file(const std::string& path);

/// Creates a file that must not exist yet (O_EXCL) with mode 0600, durable when it returns; for private keys.
/// The content appears completely or not at all. Errors: cannot_create (reason "fileExists" if it exists),
/// io.
ACMETOOL_EXPORT Result<void> create_secret(const std::string& path, std::string_view text);

} // namespace acmetool::store
