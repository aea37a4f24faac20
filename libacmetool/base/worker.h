#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/executor.h"

#include "acmetool/export.h"

namespace acmetool::base
{

/// One thread with a mailbox and timers: the only kind of thread with a loop of ours. Its state belongs to
/// the tasks that run on it and needs no lock.
///
/// The thread takes no signals. It sleeps until there is something to do: nothing is polled.
class ACMETOOL_EXPORT Worker
{
public:
    using Task = Executor::Task;
    using Clock = std::chrono::steady_clock;
    using Timer = std::uint64_t; ///< never 0

    /// What the thread does while it has nothing to do, and for a moment between tasks.
    class Wait
    {
    public:
        virtual ~Wait() = default;
        /// On the worker's thread: returns at `until`, after wake(), or earlier; at once if `until` has
        /// passed. May run callbacks meanwhile, and then returns: what they post wakes nobody.
        virtual void wait(Clock::time_point until) = 0;
        /// From another thread: the present or the next wait() returns.
        virtual void wake() = 0;
    };

    /// Starts the thread. `name` is shown by ps(1) and gdb, at most 15 characters. `wait` null: a condition
    /// variable; else called from now on, also while stop() waits, and destroyed on the caller's thread after
    /// the worker's has ended.
    explicit Worker(const std::string& name, std::unique_ptr<Wait> wait = nullptr);
    ~Worker(); ///< stops
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    /// From any thread: `task` runs after those that were posted before. False if the worker has stopped.
    bool post(Task task);
    /// From any thread: `task` runs at `when`, or as soon as possible after it.
    Timer at(Clock::time_point when, Task task);
    /// From any thread. On the worker's own thread the timer does not fire after this; from another, one that
    /// is running at this moment is not waited for.
    void cancel(Timer timer);
    /// Where callbacks that come back to this worker go (base::bind); it outlives the worker, and drops what
    /// is posted after stop().
    std::shared_ptr<Executor> executor() const;
    template <typename Callback>
    auto bind(Callback callback) const
    {
        return base::bind(std::weak_ptr<Executor>{executor()}, std::move(callback));
    }
    /// True on the worker's thread.
    bool is_here() const;
    /// Runs what was posted before, drops the timers, and joins the thread. Not from its own thread. What is
    /// posted meanwhile by those tasks still runs; later posts are refused.
    void stop();

private:
    struct Mailbox;
    std::shared_ptr<Mailbox> mailbox_;
    struct Thread;
    std::unique_ptr<Thread> thread_;
};

} // namespace acmetool::base
