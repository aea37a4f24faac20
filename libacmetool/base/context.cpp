#include "base/context.h"

#include <algorithm>
#include <thread>

#include <fmt/core.h>

namespace acmetool::base
{

TimePoint Context::now() const
{
    return base::now();
}

std::chrono::steady_clock::time_point Context::steady_now() const
{
    return std::chrono::steady_clock::now();
}

Result<void> Context::sleep(Milliseconds duration, const Wait& wait)
{
    constexpr Milliseconds kLookUp{100}; // how soon a signal is noticed
    const auto end = steady_now() + duration;
    for (;;) {
        if (interrupted()) return fail(interrupted_error(wait.what));
        const auto left = std::chrono::ceil<Milliseconds>(end - steady_now());
        if (left <= Milliseconds{0}) return {};
        std::this_thread::sleep_for(std::min(left, kLookUp));
    }
}

Error interrupted_error(std::string_view what)
{
    Error error;
    error.code = Errc::interrupted;
    error.message = fmt::format("interrupted while waiting for {}", what);
    return error;
}

} // namespace acmetool::base
