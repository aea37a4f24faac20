#pragma once

#include <chrono>
#include <thread>

namespace acmetool::test
{

/// How long a test waits for what comes soon: a busy machine or a sanitizer makes all slow.
constexpr std::chrono::minutes kPatience{2};

/// Whether the condition comes true, looked at again and again.
template <class Condition>
bool comes_true(const Condition& condition)
{
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (!condition()) {
        if (std::chrono::steady_clock::now() >= end) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds{5});
    }
    return true;
}

} // namespace acmetool::test
