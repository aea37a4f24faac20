#pragma once

#include <functional>
#include <memory>
#include <tuple>
#include <utility>

namespace acmetool::base
{

/// A thread, or several, that runs the tasks of others.
class Executor
{
public:
    using Task = std::function<void()>; ///< does not throw

    virtual ~Executor() = default;
    /// From any thread: `task` runs later on this executor. False, and `task` is destroyed unrun, if the
    /// executor has stopped.
    virtual bool post(Task task) = 0;
};

/// A callback that calls `callback` on `executor`: from any thread, even after the executor is destroyed
/// (then nothing is called). The arguments are moved or copied.
template <typename Callback>
auto bind(std::weak_ptr<Executor> executor, Callback callback)
{
    return [executor = std::move(executor),
            shared = std::make_shared<Callback>(std::move(callback))](auto... arguments) {
        const auto still = executor.lock();
        if (!still) return;
        auto held = std::make_shared<std::tuple<decltype(arguments)...>>(std::move(arguments)...);
        still->post([shared, held] { std::apply(*shared, std::move(*held)); });
    };
}

} // namespace acmetool::base
