#pragma once

#include <chrono>
#include <deque>
#include <mutex>
#include <string>
#include <unordered_map>

namespace acmetool::ca
{

/// Nonces that were given out and not used yet (RFC 8555 section 6.5): unguessable, good once, the oldest
/// forgotten first. Safe to use from several threads.
class Nonces
{
public:
    std::string make();
    /// True the first time it is one of ours, and not older than `lifetime` (zero: however old).
    bool use(const std::string& nonce, std::chrono::seconds lifetime);

private:
    using Clock = std::chrono::steady_clock;

    static constexpr std::size_t kMost = 10'000;
    std::mutex mutex_;
    std::unordered_map<std::string, Clock::time_point> known_;
    std::deque<std::string> order_; ///< the used ones among them go when they come to the front
};

} // namespace acmetool::ca
