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

/// Compares passwords, which is deliberately slow, on low-priority threads with a short queue. An address can
/// use at most half of the queue, fewer places for a while after a wrong password, and none after many.
/// Correct passwords are remembered for five minutes, as an HMAC with a key that only exists in this process.
/// Thread-safe.
class PasswordCheck
{
public:
    using Clock = std::chrono::steady_clock;
    explicit PasswordCheck(std::function<Clock::time_point()> now = Clock::now);
    enum class Verdict { right, wrong, too_many, used };
    using Done = std::function<void(Verdict)>;

    /// Reports whether `peer` is one of `users`: immediately if nothing must be compared (no users, a
    /// remembered password, a full queue), else from the pool's thread. An unknown user takes as long as a
    /// known one, so that timing does not reveal users. `users` must exist until `done` is called.
    void check(const Users& users, const enrol::Peer& peer, Done done);
    /// The same for a login by HTTP Digest, whose check costs two hashes: immediately, but with the same
    /// limits for an address. `used`: it was right, and is a repetition.
    Verdict check_digest(const DigestUsers& users, const enrol::Peer& peer);
    /// Waiting requests are answered "too many" without a comparison. Nothing is compared afterwards.
    void stop();

private:
    /// The keys of the limits for an address.
    struct Origin {
        std::string host;    ///< the address; of IPv6 the /64, which belongs to one host
        std::string network; ///< of IPv6 the /48, which belongs to one site; else empty
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

    const std::function<Clock::time_point()> now_;
    const Bytes key_;
    std::mutex mutex_; ///< of the next four
    bool stopping_ = false;
    std::map<std::string, Caller, std::less<>> callers_;
    std::map<std::string, unsigned, std::less<>> networks_; ///< how many of each wait
    std::map<Bytes, Clock::time_point> right_;
    base::WorkerPool pool_; ///< destroyed first
};

} // namespace acmetool::ra
