#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>

namespace acmetool::base
{

/// Limits what is told of what anybody can cause: once a minute for a key, such as a cause and an address.
/// Forged or many addresses do not fill the memory: while there are too many keys, nothing is told of others.
template <class Key>
class OncePerMinute
{
public:
    using Clock = std::chrono::steady_clock;

    /// It happened. How often since it was told last, if it is to be told now.
    std::optional<std::uint64_t> take(const Key& key, Clock::time_point now = Clock::now())
    {
        auto found = known_.find(key);
        const bool is_new = found == known_.end();
        if (is_new) {
            if (known_.size() >= kMost && now >= swept_ + kSilence) {
                std::erase_if(known_, [&](const auto& one) { return now - one.second.told >= kSilence; });
                swept_ = now;
            }
            if (known_.size() >= kMost) return std::nullopt;
            found = known_.emplace(key, Known{now, 0}).first;
        }
        auto& known = found->second;
        ++known.since;
        if (!is_new && now - known.told < kSilence) return std::nullopt;
        known.told = now;
        return std::exchange(known.since, 0);
    }

private:
    static constexpr std::chrono::minutes kSilence{1};
    static constexpr std::size_t kMost = 1'000;

    struct Known {
        Clock::time_point told;
        std::uint64_t since = 0;
    };

    std::map<Key, Known> known_;
    Clock::time_point swept_{};
};

} // namespace acmetool::base
