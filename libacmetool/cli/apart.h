#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <utility>

#include "base/context.h"
#include "base/thread.h"
#include "cli/signals.h"

namespace acmetool::cli
{

/// True once run_apart() has left a thread behind. It may go on at any moment and use what is static: the
/// program ends without destroying that.
inline std::atomic<bool>& has_left_thread()
{
    static std::atomic<bool> has_left{false};
    return has_left;
}

/// Runs `work` on another thread, so that what may block without limit, such as a file on a mount that hangs,
/// cannot keep the program from ending. A signal to stop ends the wait and leaves the thread behind: `work`
/// has to own all that it uses, but for what is static. `waits` is called once if it takes more than five
/// seconds.
///
/// Errors: those of `work`; interrupted, naming `what`.
template <class T>
Result<T> run_apart(std::function<Result<T>()> work, std::string_view what,
                    const std::function<void()>& waits)
{
    constexpr std::chrono::milliseconds kLookUp{50};
    constexpr std::chrono::seconds kLong{5};
    auto promise = std::make_shared<std::promise<Result<T>>>();
    auto outcome = promise->get_future();
    base::start_thread("apart", [promise, work = std::move(work)] { promise->set_value(work()); }).detach();
    const auto began = std::chrono::steady_clock::now();
    for (bool told = false; outcome.wait_for(kLookUp) != std::future_status::ready;) {
        if (caught_signal() != 0) {
            has_left_thread() = true;
            return fail(base::interrupted_error(what));
        }
        if (told || std::chrono::steady_clock::now() - began < kLong) continue;
        told = true;
        waits();
    }
    return outcome.get();
}

} // namespace acmetool::cli
