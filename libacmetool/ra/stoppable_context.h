#pragma once

#include <atomic>

#include "base/context.h"

namespace acmetool::ra
{

/// Ends waits and programs when their issuer is destroyed.
class StoppableContext final : public base::Context
{
public:
    explicit StoppableContext(const std::atomic<bool>& stopping) : stopping_(stopping) {}
    bool interrupted() const override { return stopping_; }

private:
    const std::atomic<bool>& stopping_;
};

} // namespace acmetool::ra
