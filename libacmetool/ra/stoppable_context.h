#pragma once

#include <condition_variable>
#include <mutex>
#include <stop_token>

#include "base/context.h"

namespace acmetool::ra
{

/// Asks everything to stop, once. Usable by several threads at once.
class StopSignal
{
public:
    void request() { source_.request_stop(); }
    bool requested() const { return source_.stop_requested(); }
    /// Returns after `duration`, or as soon as it is requested: then true.
    bool wait(base::Milliseconds duration) const
    {
        std::mutex mutex;
        std::unique_lock lock{mutex};
        std::condition_variable_any changed;
        changed.wait_for(lock, source_.get_token(), duration, [] { return false; });
        return requested();
    }

private:
    std::stop_source source_;
};

/// Ends waits and programs once their issuer stops. Usable by several threads at once.
class StoppableContext : public base::Context
{
public:
    /// `stopping` is not owned.
    explicit StoppableContext(const StopSignal& stopping) : stopping_(stopping) {}
    bool interrupted() const override { return stopping_.requested(); }
    Result<void> sleep(base::Milliseconds duration, const base::Wait& wait) override
    {
        if (stopping_.wait(duration)) return fail(base::interrupted_error(wait.what));
        return {};
    }

private:
    const StopSignal& stopping_;
};

} // namespace acmetool::ra
