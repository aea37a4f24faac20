#pragma once

#include <deque>
#include <mutex>
#include <string>
#include <unordered_set>

namespace acmetool::ca
{

/// Nonces that were given out and not used yet (RFC 8555 section 6.5): unguessable, good once, the oldest
/// forgotten first. Safe to use from several threads.
class Nonces
{
public:
    std::string make();
    /// True the first time it is one of ours.
    bool use(const std::string& nonce);

private:
    static constexpr std::size_t kMost = 100'000;
    std::mutex mutex_;
    std::unordered_set<std::string> known_;
    std::deque<std::string> order_;
};

} // namespace acmetool::ca
