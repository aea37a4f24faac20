#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/time.h"
#include "brski/masa.h"

namespace acmetool::brski
{

/// The requests that were granted a moment ago, by the SHA-256 of their octets. A registrar asks for the
/// audit log with the octets that it asked for the voucher with (RFC 8995 section 5.8): the MASA verifies
/// them once. Thread-safe.
class RecentGrants
{
public:
    static constexpr std::chrono::seconds kLifetime{60};
    static constexpr std::size_t kMost = 1024;

    void add(const Bytes& digest, Grant grant, base::TimePoint now)
    {
        const std::lock_guard lock{mutex_};
        while (!order_.empty() && (order_.size() >= kMost || !is_recent(grants_.at(order_.front()), now))) {
            grants_.erase(order_.front());
            order_.pop_front();
        }
        if (grants_.insert_or_assign(digest, Entry{std::move(grant), now}).second) order_.push_back(digest);
    }
    std::optional<Grant> find(const Bytes& digest, base::TimePoint now) const
    {
        const std::lock_guard lock{mutex_};
        const auto found = grants_.find(digest);
        if (found == grants_.end() || !is_recent(found->second, now)) return std::nullopt;
        return found->second.grant;
    }

private:
    struct Entry {
        Grant grant;
        base::TimePoint since;
    };
    /// Not after the clock was set back either.
    static bool is_recent(const Entry& entry, base::TimePoint now)
    {
        return entry.since <= now && now < entry.since + kLifetime;
    }

    mutable std::mutex mutex_;
    std::map<Bytes, Entry> grants_;
    std::deque<Bytes> order_; ///< oldest first
};

} // namespace acmetool::brski
