#pragma once

#include <chrono>
#include <cstdint>
#include <random>

#include "base/time.h"

namespace acmetool::base
{

/// A number from `least` to `most`. Not for secrets.
inline std::int64_t some_number(std::int64_t least, std::int64_t most)
{
    thread_local std::minstd_rand numbers{std::random_device{}()};
    return least < most ? std::uniform_int_distribution<std::int64_t>{least, most}(numbers) : least;
}

/// A fifth more or less, so that those who were told or keep the same time do not come back as one. In whole
/// units: what is shorter than five stays as it is.
template <typename Duration>
Duration spread(Duration wait)
{
    const auto fifth = wait.count() / 5;
    return Duration{some_number(wait.count() - fifth, wait.count() + fifth)};
}

/// As long or up to a fifth longer, for a time before which it is no use to come.
template <typename Duration>
Duration spread_after(Duration wait)
{
    return Duration{some_number(wait.count(), wait.count() + wait.count() / 5)};
}

} // namespace acmetool::base
