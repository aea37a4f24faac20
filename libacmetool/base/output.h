#pragma once

#include <functional>
#include <string_view>

#include "acmetool/export.h"

/// Writing to what others hold the other end of: a pipe's reader may be slow, stop, or leave.
namespace acmetool::base
{

/// Opens those of the descriptors 0 to 2 that are closed, so that no file or socket gets their numbers and
/// then what is meant for a standard stream. A closed standard input or output stays closed in effect:
/// reading from or writing to it fails (EBADF). What is written to a closed standard error vanishes.
ACMETOOL_EXPORT void keep_standard_streams();

/// False for a regular file, which takes all that it is given.
ACMETOOL_EXPORT bool can_block(int fd);

/// Writes all of `text`; 0, or the error number of what went wrong. While a reader takes nothing, `stopped`
/// is asked a few times a second, and true ends the call with EINTR. Never throws; SIGPIPE has to be ignored.
ACMETOOL_EXPORT int write_all(int fd, std::string_view text, const std::function<bool()>& stopped = {});

} // namespace acmetool::base
