#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "acmetool/export.h"

namespace acmetool::base
{

/// Threads for work that must block neither event loops nor locks. The queue is bounded: work that does not
/// fit is refused immediately, and the caller reports this.
class ACMETOOL_EXPORT WorkerPool
{
public:
    struct Options {
        unsigned threads = 1;
        std::size_t queue = 64; ///< waiting jobs, without the running ones
        int nice = 0;           ///< added to the threads' nice value, so that other threads have priority
    };
    using Job = std::function<void()>; ///< does not throw

    explicit WorkerPool(const Options& options);
    ~WorkerPool(); ///< stops
    WorkerPool(const WorkerPool&) = delete;
    WorkerPool& operator=(const WorkerPool&) = delete;

    /// False if the queue is full or the pool was stopped; `job` is then never run.
    [[nodiscard]] bool post(Job job);
    /// Runs the posted jobs, then ends. Must not be called by a job.
    void stop();

private:
    void run();

    const Options options_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Job> jobs_;
    bool stopping_ = false;
    std::vector<std::thread> threads_;
};

} // namespace acmetool::base
