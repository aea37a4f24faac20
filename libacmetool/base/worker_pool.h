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

/// Threads for work that neither event loops nor locks may wait for. The queue is bounded: what does not fit
/// is refused at once, and the caller says so to whoever asked.
class ACMETOOL_EXPORT WorkerPool
{
public:
    struct Options {
        unsigned threads = 1;
        std::size_t queue = 64; ///< jobs that wait; those that run are not among them
        int nice = 0;           ///< added to the threads' nice value, so that others come first
    };
    using Job = std::function<void()>; ///< does not throw

    explicit WorkerPool(const Options& options);
    ~WorkerPool(); ///< stops
    WorkerPool(const WorkerPool&) = delete;
    WorkerPool& operator=(const WorkerPool&) = delete;

    /// False, and nothing of `job` is ever run, where the queue is full or the pool was stopped.
    [[nodiscard]] bool post(Job job);
    /// Runs what was posted, then ends. Not to be called by a job.
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
