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

/// Threads for work that blocks, which must hold up neither event loops nor locks. A thread is started when a
/// job finds all others busy, and stays. The queue is bounded: work that does not fit is refused immediately,
/// and the caller reports this.
///
/// The threads take no signals. A job that has a result posts it to its owner's worker (Worker::bind).
class ACMETOOL_EXPORT WorkerPool
{
public:
    struct Options {
        std::string name = "pool"; ///< of the threads, see Worker
        std::size_t threads = 1;   ///< at most
        std::size_t queue = 64;    ///< waiting jobs, without the running ones
        int nice = 0;              ///< added to the threads' nice value, so that other threads have priority
    };
    using Job = std::function<void()>; ///< does not throw

    explicit WorkerPool(Options options);
    ~WorkerPool(); ///< stops
    WorkerPool(const WorkerPool&) = delete;
    WorkerPool& operator=(const WorkerPool&) = delete;

    /// From any thread. False, and `job` never runs, if the queue is full or the pool has stopped.
    [[nodiscard]] bool post(Job job);
    /// Runs the posted jobs, then ends the threads. Must not be called by a job.
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
