#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "ra/options.h"
#include "ra/records.h"

namespace acmetool::ra
{

/// Whether another order is allowed after those that were counted in the past window, of the device and of
/// all (SEC-07). Renewals have a reserve that new devices cannot use. Nothing if it is; else the time until
/// it may be.
std::optional<std::chrono::seconds> refused_by(const LimitOptions& limits, const SpentCounts& of_device,
                                               const SpentCounts& of_all, bool renewal, base::TimePoint now);

/// Counts the orders of the one process that uses a store, in memory.
class Budget
{
public:
    explicit Budget(LimitOptions limits) : limits_(limits) {}
    ~Budget() = default;
    Budget(Budget&&) = default; // a copy would point into the original
    Budget& operator=(Budget&&) = default;

    void set_limits(LimitOptions limits) { limits_ = limits; }
    /// Nothing if the order is allowed; else the time until it may be. `former`: another identifier whose
    /// orders are the device's, or empty.
    std::optional<std::chrono::seconds> refuses(const std::string& device, bool renewal, base::TimePoint now,
                                                const std::string& former = {});
    /// Counts an order; settle() makes the count final, undo() reverts it.
    void spend(const Records::Spent& spent);
    void settle() { unsettled_ = 0; } ///< what was spent is on disk
    void undo();                      ///< what was spent since the last settle() is not
    /// What the store remembers, oldest first, instead of what is here. What a clock that was ahead wrote
    /// counts as of now.
    void load(const std::vector<Records::Spent>& spent);

private:
    /// A device is the first half of a SHA-256: a few octets for each order of the window, however long the
    /// identifiers are.
    using Digest = std::array<std::uint8_t, 16>;
    struct First {
        std::size_t operator()(const Digest& digest) const noexcept;
    };
    using Counts = std::unordered_map<Digest, unsigned, First>;
    struct Counted {
        base::TimePoint at;
        Counts::value_type* device; ///< in by_device_
        bool renewal;
    };

    static Digest digest_of(std::string_view device);
    unsigned count_of(const Digest& device) const;
    void forget(base::TimePoint now);
    void uncount(const Counted& spent);

    LimitOptions limits_;
    std::deque<Counted> spent_;
    Counts by_device_;
    unsigned renewals_ = 0;
    std::size_t unsettled_ = 0; ///< at the end of spent_
    base::TimePoint newest_;    ///< no time in spent_ is later
};

/// Gives turns to those who have to come again, so that no more of them come in a second than are served in
/// one. For any thread.
class Turns
{
public:
    static constexpr unsigned kPerSecond = 50;

    /// The time until the next free turn, at least `wait`. The turn is taken then. `sharers`: how many
    /// processes give the turns of the same second, each its part of them.
    std::chrono::seconds take(base::TimePoint now, std::chrono::seconds wait, std::size_t sharers = 1);

private:
    std::mutex mutex_;
    base::TimePoint last_{};
    unsigned taken_ = 0; ///< at `last_`
};

/// Those without a certificate do not wait behind those that still have one.
struct TurnsOf {
    Turns new_devices;
    Turns renewals;
};

} // namespace acmetool::ra
