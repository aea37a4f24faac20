#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/json.h"
#include "store/group_commit.h"

namespace acmetool::relay
{

/// Keeps the events of the log in the store, for est-relay events and explain.
///
/// They wait in memory for at most a second and are written together, so that a request costs no commit of
/// its own. What repeats is counted: the first of one kind is a row, then one with the number of those
/// since, after a minute, two, and so on up to an hour. What anybody can cause without being known is limited
/// for each address and in total. What is over a limit, and what waits for a database that is away and does
/// not fit into memory, is dropped, and its number told in a row.
class ACMETOOL_EXPORT EventKeeper
{
public:
    using Clock = std::chrono::steady_clock;
    struct Options {
        std::string relay; ///< the instance; empty if the store is one process's
        std::chrono::milliseconds delay{1000};
        std::function<Clock::time_point()> clock = {}; ///< empty: that of the system
    };
    struct Counts {
        std::uint64_t kept = 0;     ///< rows
        std::uint64_t repeated = 0; ///< events that are only counted in a row
        std::uint64_t dropped = 0;
    };

    explicit EventKeeper(Options options);
    ~EventKeeper();
    EventKeeper(const EventKeeper&) = delete;
    EventKeeper& operator=(const EventKeeper&) = delete;

    /// From any thread; never waits for the store.
    void take(const base::Json& event);
    /// False: none is taken from now on.
    void enable(bool is_enabled);
    /// Where they are written, from now on; those of before as well.
    void begin(const std::shared_ptr<store::GroupCommit>& commits);
    /// Gives what waits to `commits`, before that ends, and takes nothing more.
    void finish();

    Counts counts() const;

private:
    struct Impl;
    std::shared_ptr<Impl> impl_; ///< also of the jobs that the store still has
};

} // namespace acmetool::relay
