#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "acmetool/export.h"

namespace acmetool::base
{

/// Threads for work that blocks, which neither event loops nor locks may wait for. A thread is started when a
/// job finds all others busy, and stays. The queue is bounded: what does not fit is refused at once, and the
/// caller tells whoever asked.
///
/// The threads take no signals. A job that has a result posts it to its owner's worker (Worker::bind).
class ACMETOOL_EXPORT WorkerPool
{
public:
    struct Options {
        std::string name = "pool"; ///< of the threads, see Worker
        std::size_t threads = 1;   ///< at most
        std::size_t queue = 64;    ///< jobs that wait; those that run are not among them
        int nice = 0;              ///< added to the threads' nice value, so that others come first
    };
    using Job = std::function<void()>; ///< does not throw

    explicit WorkerPool(Options options);
    ~WorkerPool(); ///< stops
    WorkerPool(const WorkerPool&) = delete;
    WorkerPool& operator=(const WorkerPool&) = delete;

    /// From any thread. False, and `job` never runs, if the queue is full or the pool has stopped.
    [[nodiscard]] bool post(Job job);
    /// Runs what was posted, then ends the threads. Not from a job.
    void stop();

private:
    void run();

    const Options options_;
    std::mutex mutex_; ///< of all below
    std::condition_variable changed_;
    std::deque<Job> jobs_;
    std::size_t idle_ = 0; ///< threads that run no job
    bool stopping_ = false;
    std::vector<std::thread> threads_;
};

} // namespace acmetool::base
