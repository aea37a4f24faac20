#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <utility>

namespace acmetool::access
{

/// The open conversations of each device. One that begins again and again, and never goes on, has a few of
/// them and not the room of all: with each new one the oldest ends.
template <class Key, class Session>
class DeviceShare
{
public:
    /// A device may have several at a time, because a NAS may repeat itself or name no port.
    static constexpr std::size_t kMost = 8;

    /// The device's oldest conversation that `may_end`, if it has its share of them; it is no longer counted.
    template <class Predicate>
    std::shared_ptr<Session> oldest_over(const Key& key, const Predicate& may_end)
    {
        const auto found = open_.find(key);
        if (found == open_.end() || found->second.size() < kMost) return nullptr;
        const auto oldest = std::find_if(found->second.begin(), found->second.end(), may_end);
        if (oldest == found->second.end()) return nullptr;
        auto session = std::move(*oldest);
        found->second.erase(oldest);
        return session;
    }
    void add(const Key& key, std::shared_ptr<Session> session) { open_[key].push_back(std::move(session)); }
    void remove(const Key& key, const std::shared_ptr<Session>& session)
    {
        const auto found = open_.find(key);
        if (found == open_.end()) return;
        std::erase(found->second, session);
        if (found->second.empty()) open_.erase(found);
    }

private:
    std::map<Key, std::deque<std::shared_ptr<Session>>> open_; ///< oldest first
};

} // namespace acmetool::access
