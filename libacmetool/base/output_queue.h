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

/// The state of an output, for health pages and metrics.
struct OutputHealth {
    std::string name;          ///< "log", "trace"
    bool is_stalled = false;   ///< lines wait and the reader accepted nothing for a second
    std::size_t waiting = 0;   ///< octets
    std::uint64_t dropped = 0; ///< lines since the start
};

/// "log: it has no reader, 4711 octets wait, 12 lines were dropped"
ACMETOOL_EXPORT std::string describe(const OutputHealth& health);

/// Lines for a reader that may be slow or stop. A thread of the queue writes them, so that callers never
/// wait. Lines that arrive while the queue is full and lines that cannot be written are dropped and counted;
/// the next accepted line reports the count. All calls are thread-safe.
///
/// The thread is not a Worker: a write may block for ever, so the queue has to end without its thread.
class ACMETOOL_EXPORT OutputQueue
{
public:
    /// False if the line could not be written. Called by one thread at a time. May block without limit and
    /// even outlive the queue, so it owns what it needs.
    using Write = std::function<bool(const std::string&)>;
    /// Creates the line that reports dropped lines.
    using Tell = std::function<std::string(std::uint64_t)>;

    static constexpr std::size_t kMost = 1U << 20U; ///< octets that wait

    /// `name` is also the thread's. `can_block`: a pipe, a terminal, a socket. To a regular file, put()
    /// writes before it returns; then there is no thread.
    OutputQueue(std::string name, bool can_block, Write write, Tell tell, std::size_t most = kMost);
    /// Call after flush(). A write that still blocks is abandoned.
    ~OutputQueue();
    OutputQueue(const OutputQueue&) = delete;
    OutputQueue& operator=(const OutputQueue&) = delete;

    void put(std::string line);
    /// Returns when all is written, but at the latest when the reader accepted nothing for a second, or after
    /// five seconds.
    void flush();
    OutputHealth health() const;

private:
    struct State;

    std::shared_ptr<State> state_;
    std::thread thread_;
};

} // namespace acmetool::base
