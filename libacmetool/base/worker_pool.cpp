#include "base/worker_pool.h"

#include <sys/resource.h>
#include <unistd.h>

#include <utility>

namespace acmetool::base
{
namespace
{

/// Linux has a nice value per thread. If it cannot be changed, the work is still done.
void be_nice(int more)
{
    if (more == 0) return;
    const auto thread = static_cast<id_t>(gettid());
    static_cast<void>(setpriority(PRIO_PROCESS, thread, getpriority(PRIO_PROCESS, thread) + more));
}

} // namespace

WorkerPool::WorkerPool(const Options& options) : options_(options)
{
    for (unsigned i = 0; i < options_.threads; ++i)
        threads_.emplace_back([this] { run(); });
}

WorkerPool::~WorkerPool()
{
    stop();
}

bool WorkerPool::post(Job job)
{
    {
        const std::lock_guard lock{mutex_};
        if (stopping_ || jobs_.size() >= options_.queue) return false;
        jobs_.push_back(std::move(job));
    }
    changed_.notify_one();
    return true;
}

void WorkerPool::stop()
{
    {
        const std::lock_guard lock{mutex_};
        stopping_ = true;
    }
    changed_.notify_all();
    for (auto& thread : threads_)
        if (thread.joinable()) thread.join();
}

void WorkerPool::run()
{
    be_nice(options_.nice);
    for (;;) {
        Job job;
        {
            std::unique_lock lock{mutex_};
            changed_.wait(lock, [&] { return stopping_ || !jobs_.empty(); });
            if (jobs_.empty()) return;
            job = std::move(jobs_.front());
            jobs_.pop_front();
        }
        job();
    }
}

} // namespace acmetool::base
