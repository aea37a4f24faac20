#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "acmetool/export.h"

namespace acmetool::base
{

/// How an output does, for health pages and metrics.
struct OutputHealth {
    std::string name;          ///< "log", "trace"
    bool is_stalled = false;   ///< something waits, and for a second nothing was taken
    std::size_t waiting = 0;   ///< octets
    std::uint64_t dropped = 0; ///< lines since the start
};

/// "log: nobody reads it, 4711 octets wait, 12 lines were dropped"
ACMETOOL_EXPORT std::string describe(const OutputHealth& health);

/// Lines on their way to a reader that may be slow or stop. Whoever has a line never waits for it: a thread
/// of the queue writes. What comes while the queue is full, and what cannot be written, is dropped and
/// counted; the next line that is taken tells how many. All calls may be made by any thread.
///
/// The thread is not a Worker: a write may block for ever, so the queue has to end without its thread.
class ACMETOOL_EXPORT OutputQueue
{
public:
    /// False if it could not be written. Called by one thread at a time; may block for as long as it likes,
    /// and even outlive the queue: it owns what it needs.
    using Write = std::function<bool(const std::string&)>;
    /// Makes the line that tells of dropped ones.
    using Tell = std::function<std::string(std::uint64_t)>;

    static constexpr std::size_t kMost = 1U << 20U; ///< octets that wait

    /// `name` is also the thread's. `can_block`: a pipe, a terminal, a socket. What cannot, a regular file,
    /// has its lines when put() returns; then there is no thread.
    OutputQueue(std::string name, bool can_block, Write write, Tell tell, std::size_t most = kMost);
    /// After flush(); a write that blocks still is left to itself.
    ~OutputQueue();
    OutputQueue(const OutputQueue&) = delete;
    OutputQueue& operator=(const OutputQueue&) = delete;

    void put(std::string line);
    /// Returns when all is written, at the latest when nothing was taken for a second, or after five.
    void flush();
    OutputHealth health() const;

private:
    struct State;

    std::shared_ptr<State> state_;
    std::thread thread_;
};

} // namespace acmetool::base
