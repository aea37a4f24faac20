#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "base/context.h"
#include "base/descriptor.h"
#include "base/result.h"

/// Files that are not regular: devices, and pipes read by another program.
namespace acmetool::store
{

using base::Descriptor;

/// The system's error (errno) for an open file or path; a full disk is always Errc::io, whatever `code` is.
tl::unexpected<Error> system_error(Errc code, const std::string& path, const char* what);

/// True for a device, a pipe, or anything else that must not be replaced with a file.
bool is_special(const std::string& path);

/// Opens a device or pipe for writing. Waits for a reader of a pipe and reports the wait to `context`;
/// without `context`, a pipe without a reader is an error. Errors: cannot_create, interrupted.
Result<Descriptor> open_special(const std::string& path, base::Context* context);

/// Writes all of it; `context` can end the wait for a reader that accepts nothing. Errors: io, interrupted.
Result<void> write_special(const Descriptor& file, std::string_view text, const std::string& path,
                           base::Context* context);

/// A file to which lines are appended. It is opened for each line, because it may have been moved, except for
/// a pipe, whose reader would take closing for the end.
class AppendedFile
{
public:
    explicit AppendedFile(std::string path) : path_(std::move(path)) {}
    /// Creates the file with mode 0600 if it is absent. Waits for a reader of a pipe as open_special() does;
    /// without context, lines are written into the pipe as far as it can hold them. Errors: cannot_create,
    /// io, interrupted.
    Result<void> append(std::string_view line, base::Context* context);

private:
    std::string path_;
    Descriptor pipe_;
};

} // namespace acmetool::store
