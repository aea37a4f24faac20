#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/context.h"

/// Files with secrets, and who can read them: one rule for keys, passwords and shared secrets.
namespace acmetool::store
{

/// A file that other users can access.
struct Exposure {
    std::string text; ///< "FILE: accessible to other users (mode 0644)"
    std::string hint; ///< "chmod 600 FILE", or why this user cannot
    /// This user owns the file and can change its mode. False for secrets that somebody else provides: a file
    /// of another user, on a read-only mount, mounted itself (containers), or below $CREDENTIALS_DIRECTORY
    /// (systemd.exec(5)).
    bool is_ours = false;
};

/// Nothing if only the owner can access `path`, or if it is no regular file (a pipe, a key's URI, nothing).
ACMETOOL_EXPORT std::optional<Exposure> exposure_of(const std::string& path);

/// The file below $CREDENTIALS_DIRECTORY with this name, which has no folder: where systemd keeps what the
/// unit loads with LoadCredential=NAME:FILE (systemd.exec(5)). Nothing if the unit does not load it.
ACMETOOL_EXPORT std::optional<std::string> credential(const std::string& name);

/// Logs a warning if others can access `path`; `what` is put before it: the option, or what the file is.
ACMETOOL_EXPORT void warn_if_exposed(const std::string& path, std::string_view what, base::Context& context);

} // namespace acmetool::store
