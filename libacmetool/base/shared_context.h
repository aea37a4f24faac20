#pragma once

#include <mutex>
#include <optional>
#include <string_view>

#include "base/context.h"

namespace acmetool::base
{

/// Lends the context of a program to several threads: one at a time logs and shows messages.
class SharedContext final : public Context
{
public:
    /// `context` outlives this one.
    explicit SharedContext(Context& context) : context_(context) {}

    TimePoint now() const override { return context_.now(); }
    std::chrono::steady_clock::time_point steady_now() const override { return context_.steady_now(); }
    std::optional<std::chrono::steady_clock::time_point> run_ends() const override
    {
        const std::lock_guard lock{mutex_};
        return context_.run_ends();
    }
    bool interrupted() const override { return context_.interrupted(); }
    void waiting(const Wait& wait) override
    {
        const std::lock_guard lock{mutex_};
        context_.waiting(wait);
    }
    void log(Level level, std::string_view text) override
    {
        const std::lock_guard lock{mutex_};
        context_.log(level, text);
    }
    void message(const Message& message) override
    {
        const std::lock_guard lock{mutex_};
        context_.message(message);
    }

private:
    Context& context_;
    mutable std::mutex mutex_;
};

} // namespace acmetool::base
