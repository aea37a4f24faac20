#include "base/output_queue.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <utility>

#include <fmt/core.h>

#include "base/thread.h"

namespace acmetool::base
{
namespace
{

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kPatience{1};
constexpr std::chrono::seconds kLongestFlush{5};

} // namespace

std::string describe(const OutputHealth& health)
{
    return fmt::format("{}: {}, {} octets wait, {} lines were dropped", health.name,
                       health.is_stalled ? "it has no reader" : "its reader resumed", health.waiting,
                       health.dropped);
}

struct OutputQueue::State {
    const std::string name;
    const Write write;
    const Tell tell;
    const std::size_t most;
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<std::string> lines;
    std::size_t octets = 0;     ///< of `lines`
    std::uint64_t dropped = 0;  ///< since the start
    std::uint64_t failed = 0;   ///< of them, before the next line, and not told yet
    std::uint64_t overflow = 0; ///< of them, after all of `lines`, and not told yet
    bool is_writing = false;    ///< a line more is on its way
    bool is_closing = false;
    Clock::time_point progress{}; ///< when a line was taken last, or the first began to wait

    State(std::string its_name, Write its_write, Tell its_tell, std::size_t octets_at_most)
        : name(std::move(its_name)), write(std::move(its_write)), tell(std::move(its_tell)),
          most(octets_at_most)
    {
    }
    bool is_idle() const { return lines.empty() && overflow == 0 && !is_writing; }
    bool is_stalled() const { return !is_idle() && Clock::now() - progress >= kPatience; }
    void write_next(std::unique_lock<std::mutex>& lock, bool unlocked);
    void run();
};

/// Writes the first line, or of the lines that were dropped after it; with what else is to be told before it.
void OutputQueue::State::write_next(std::unique_lock<std::mutex>& lock, bool unlocked)
{
    std::string line;
    std::uint64_t told = std::exchange(failed, 0);
    if (lines.empty()) {
        told += std::exchange(overflow, 0);
    } else {
        line = std::move(lines.front());
        lines.pop_front();
        octets -= line.size();
    }
    const bool is_line = !line.empty();
    if (told > 0) line.insert(0, tell(told));
    is_writing = true;
    if (unlocked) lock.unlock();
    const bool done = write(line);
    if (unlocked) lock.lock();
    is_writing = false;
    progress = Clock::now();
    if (done) return;
    failed += told + (is_line ? 1 : 0);
    dropped += is_line ? 1 : 0;
}

void OutputQueue::State::run()
{
    std::unique_lock lock{mutex};
    for (;;) {
        changed.wait(lock, [this] { return is_closing || !is_idle(); });
        if (is_closing) return;
        write_next(lock, true);
        changed.notify_all();
    }
}

OutputQueue::OutputQueue(std::string name, bool can_block, Write write, Tell tell, std::size_t most)
    : state_(std::make_shared<State>(std::move(name), std::move(write), std::move(tell), most))
{
    if (can_block) thread_ = start_thread(state_->name, [state = state_] { state->run(); });
}

OutputQueue::~OutputQueue()
{
    if (!thread_.joinable()) return;
    flush();
    bool is_stuck = false;
    {
        const std::lock_guard lock{state_->mutex};
        state_->is_closing = true;
        is_stuck = state_->is_writing;
        state_->changed.notify_all();
    }
    if (is_stuck)
        thread_.detach();
    else
        thread_.join();
}

void OutputQueue::put(std::string line)
{
    auto& state = *state_;
    std::unique_lock lock{state.mutex};
    if (state.is_idle()) state.progress = Clock::now();
    // Lines after a gap follow the line that reports it.
    if (state.overflow > 0 || state.octets + line.size() > state.most) {
        ++state.dropped;
        ++state.overflow;
    } else {
        state.octets += line.size();
        state.lines.push_back(std::move(line));
    }
    if (thread_.joinable())
        state.changed.notify_all();
    else
        state.write_next(lock, false);
}

void OutputQueue::flush()
{
    const auto end = Clock::now() + kLongestFlush;
    std::unique_lock lock{state_->mutex};
    while (!state_->is_idle() && !state_->is_stalled() && Clock::now() < end)
        state_->changed.wait_until(lock, std::min(end, state_->progress + kPatience));
}

OutputHealth OutputQueue::health() const
{
    const std::lock_guard lock{state_->mutex};
    return {state_->name, state_->is_stalled(), state_->octets, state_->dropped};
}

} // namespace acmetool::base
