#include "store/special_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fmt/core.h>

#include "base/output.h"

namespace acmetool::store
{
namespace
{

bool is_pipe(const std::string& path)
{
    std::error_code none;
    return std::filesystem::is_fifo(path, none);
}

} // namespace

tl::unexpected<Error> system_error(Errc code, const std::string& path, const char* what)
{
    const int problem = errno;
    const bool full = problem == ENOSPC || problem == EDQUOT || problem == EFBIG;
    return fail(full ? Errc::io : code, fmt::format("{}: {}: {}", path, what, std::strerror(problem)),
                full ? "free some space there, then run the same command again" : "", full ? "diskFull" : "");
}

bool is_special(const std::string& path)
{
    std::error_code none;
    return std::filesystem::exists(path, none) && !std::filesystem::is_regular_file(path, none);
}

Result<Descriptor> open_special(const std::string& path, base::Context* context)
{
    constexpr base::Milliseconds kLookAgain{50};
    const auto began = std::chrono::steady_clock::now();
    for (bool is_told = false;;) {
        // A blocking open() of a pipe waits in silence, and signals do not end it.
        Descriptor file{open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)};
        if (file.get() >= 0) return file;
        if (errno != ENXIO || !is_pipe(path))
            return system_error(Errc::cannot_create, path, "cannot be opened");
        if (context == nullptr)
            return fail(Errc::cannot_create, fmt::format("{}: no program reads this pipe", path));
        const auto what = fmt::format("a program that reads {}", path);
        if (!is_told) context->log(base::Level::info, "waiting for " + what);
        is_told = true;
        ACMETOOL_CHECK(context->sleep(kLookAgain, {what, began, {}}));
    }
}

Result<void> write_special(const Descriptor& file, std::string_view text, const std::string& path,
                           base::Context* context)
{
    const auto what = fmt::format("the reader of {}", path);
    const base::Wait wait{what, std::chrono::steady_clock::now(), {}};
    errno = base::write_all(file.get(), text, [&] {
        if (context != nullptr) context->waiting(wait);
        return context != nullptr && context->interrupted();
    });
    if (errno == EINTR) return fail(base::interrupted_error(what));
    if (errno != 0) return system_error(Errc::io, path, "cannot be written");
    return {};
}

Result<void> AppendedFile::append(std::string_view line, base::Context* context)
{
    if (pipe_.get() < 0 && is_pipe(path_)) {
        // Opened for both, a pipe needs no reader.
        if (context == nullptr) pipe_ = Descriptor{open(path_.c_str(), O_RDWR | O_CLOEXEC)};
        if (pipe_.get() < 0) {
            ACMETOOL_TRY(opened, open_special(path_, context));
            pipe_ = std::move(opened);
        }
    }
    if (pipe_.get() >= 0) return write_special(pipe_, line, path_, context);
    const Descriptor file{
        open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600)};
    if (file.get() < 0) return system_error(Errc::cannot_create, path_, "cannot be opened");
    return write_special(file, line, path_, context);
}

} // namespace acmetool::store
