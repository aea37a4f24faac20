#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/worker_pool.h"
#include "enrol/registration_authority.h"
#include "ra/users.h"

namespace acmetool::ra
{

/// Compares passwords, which is slow on purpose: on threads that give way to all others, with a short queue.
/// An address has at most half of its places, for a while after a wrong password a few, and after many wrong
/// ones none. Right ones are remembered for five minutes, as an HMAC under a key that dies with the process.
/// Usable by several threads at once.
class PasswordCheck
{
public:
    PasswordCheck();
    enum class Verdict { right, wrong, too_many };
    using Done = std::function<void(Verdict)>;

    /// Says whether `peer` is one of `users`: at once where nothing has to be compared (nobody has a
    /// password, it is remembered, too many wait), else from the pool's thread. A user that is not there
    /// takes as long as one that is, so that nobody learns which there are. `users` stays until `done` was
    /// called.
    void check(const Users& users, const enrol::Peer& peer, Done done);
    /// What waits is answered "too many" without being looked at. Nothing is compared after it.
    void stop();

private:
    using Clock = std::chrono::steady_clock;
    /// Whose limits go for an address.
    struct Origin {
        std::string host;    ///< its own; of IPv6 the /64, which one host has to itself
        std::string network; ///< of IPv6 the /48, which one site has to itself; else empty
    };
    /// A host that has passwords looked at.
    struct Caller {
        unsigned waiting = 0;
        Clock::time_point busy_until{}; ///< each wrong password moves it on
    };

    Bytes tag(std::string_view name, std::string_view password, std::string_view hash) const;
    const User& stand_in(const Users& users, std::string_view name) const;
    static Origin origin_of(const std::string& address);
    bool enter(const Origin& origin);
    void leave(const Origin& origin, Verdict verdict);
    bool remembers(const Bytes& tag);
    void remember(const Bytes& tag);

    const Bytes key_;
    std::mutex mutex_; ///< of the next four
    bool stopping_ = false;
    std::map<std::string, Caller, std::less<>> callers_;
    std::map<std::string, unsigned, std::less<>> networks_; ///< how many of each wait
    std::map<Bytes, Clock::time_point> right_;
    base::WorkerPool pool_; ///< destroyed first
};

} // namespace acmetool::ra
