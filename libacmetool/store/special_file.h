#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "base/context.h"
#include "base/result.h"

/// Files that are no regular ones: devices, and pipes that have another program at their other end.
namespace acmetool::store
{

/// An open file, closed when it goes.
class Descriptor
{
public:
    Descriptor() = default; ///< none
    explicit Descriptor(int fd) : fd_(fd) {}
    Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept
    {
        std::swap(fd_, other.fd_);
        return *this;
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor();
    int get() const { return fd_; }

private:
    int fd_ = -1;
};

/// What the system says (errno) about an open file or path; a full disk is Errc::io whatever `code` is.
tl::unexpected<Error> system_error(Errc code, const std::string& path, const char* what);

/// True for a device, a pipe, or whatever else may not be replaced by a file.
bool is_special(const std::string& path);

/// Opens a device or pipe to write to. A pipe that nobody reads yet is waited for, and `context` is told so;
/// without context it is an error. Errors: cannot_create, interrupted.
Result<Descriptor> open_special(const std::string& path, base::Context* context);

/// Writes all of it; `context` can end the wait for a reader that takes nothing. Errors: io, interrupted.
Result<void> write_special(const Descriptor& file, std::string_view text, const std::string& path,
                           base::Context* context);

/// A file that lines are appended to: opened anew for each of them, as somebody may have moved it away, but
/// for a pipe, whose reader takes its closing for the end.
class AppendedFile
{
public:
    explicit AppendedFile(std::string path) : path_(std::move(path)) {}
    /// Makes the file, with mode 0600, if it is missing. A pipe that nobody reads is waited for as in
    /// open_special(); without context lines are written into it, as far as it can hold them. Errors:
    /// cannot_create, io, interrupted.
    Result<void> append(std::string_view line, base::Context* context);

private:
    std::string path_;
    Descriptor pipe_;
};

} // namespace acmetool::store
