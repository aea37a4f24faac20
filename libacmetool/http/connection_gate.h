#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "http/server.h"

/// The limits on connections of the HTTP server.
namespace acmetool::http
{

/// Counts connections, in total and per address.
class ConnectionGate
{
public:
    bool enter(const ServerOptions& limits)
    {
        const std::lock_guard lock{mutex_};
        if (open_ >= limits.connections) return false;
        ++open_;
        return true;
    }
    bool enter(const std::string& address, const ServerOptions& limits)
    {
        const std::lock_guard lock{mutex_};
        auto& here = of_address_[address];
        if (here < limits.connections_per_address) {
            ++here;
            return true;
        }
        if (here == 0) of_address_.erase(address);
        return false;
    }
    void leave(const std::optional<std::string>& address)
    {
        const std::lock_guard lock{mutex_};
        --open_;
        if (!address) return;
        const auto found = of_address_.find(*address);
        if (--found->second == 0) of_address_.erase(found);
    }
    unsigned open() const
    {
        const std::lock_guard lock{mutex_};
        return open_;
    }

private:
    mutable std::mutex mutex_;
    std::map<std::string, unsigned> of_address_;
    unsigned open_ = 0;
};

/// A connection's place in the gate, and in the count of its address once that is known.
class ConnectionPass
{
public:
    static std::optional<ConnectionPass> take(ConnectionGate& gate, const ServerOptions& limits)
    {
        if (!gate.enter(limits)) return std::nullopt;
        return ConnectionPass{gate};
    }
    ConnectionPass(ConnectionPass&& other) noexcept
        : gate_(std::exchange(other.gate_, nullptr)), address_(std::move(other.address_))
    {
    }
    ~ConnectionPass()
    {
        if (gate_ != nullptr) gate_->leave(address_);
    }
    ConnectionPass(const ConnectionPass&) = delete;
    ConnectionPass& operator=(const ConnectionPass&) = delete;

    bool take_for(const std::string& address, const ServerOptions& limits)
    {
        if (!gate_->enter(address, limits)) return false;
        address_ = address;
        return true;
    }

private:
    explicit ConnectionPass(ConnectionGate& gate) : gate_(&gate) {}

    ConnectionGate* gate_; ///< null: moved from
    std::optional<std::string> address_;
};

} // namespace acmetool::http
