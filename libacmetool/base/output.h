#pragma once

#include <functional>
#include <string_view>

#include "acmetool/export.h"

/// Writing to pipes, terminals and sockets, whose reader may be slow, stop, or close them.
namespace acmetool::base
{

/// Opens closed descriptors among 0 to 2, so that no file or socket gets one of these numbers and receives
/// data meant for a standard stream. Reading from a closed standard input and writing to a closed standard
/// output still fail (EBADF). Data written to a closed standard error is discarded.
ACMETOOL_EXPORT void keep_standard_streams();

/// False for a regular file, which accepts all data.
ACMETOOL_EXPORT bool can_block(int fd);

/// Writes all of `text`; returns 0 or the error number. While the reader accepts nothing, calls `stopped` a
/// few times a second; if it returns true, the call fails with EINTR. Never throws. SIGPIPE must be ignored.
ACMETOOL_EXPORT int write_all(int fd, std::string_view text, const std::function<bool()>& stopped = {});

} // namespace acmetool::base
