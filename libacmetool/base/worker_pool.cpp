#include "base/worker_pool.h"

#include <sys/resource.h>
#include <unistd.h>

#include <utility>

#include "base/thread.h"

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

WorkerPool::WorkerPool(Options options) : options_(std::move(options)) {}

WorkerPool::~WorkerPool()
{
    stop();
}

bool WorkerPool::post(Job job)
{
    const std::lock_guard lock{mutex_};
    if (stopping_) return false;
    if (idle_ <= jobs_.size() && threads_.size() < options_.threads) {
        threads_.push_back(start_thread(options_.name, [this] { run(); }));
        ++idle_;
    }
    if (jobs_.size() >= idle_ && jobs_.size() - idle_ >= options_.queue) return false;
    jobs_.push_back(std::move(job));
    changed_.notify_one();
    return true;
}

void WorkerPool::stop()
{
    std::vector<std::thread> threads;
    {
        const std::lock_guard lock{mutex_};
        stopping_ = true;
        threads.swap(threads_);
    }
    changed_.notify_all();
    for (auto& thread : threads)
        thread.join();
}

void WorkerPool::run()
{
    be_nice(options_.nice);
    std::unique_lock lock{mutex_};
    for (;;) {
        changed_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
        if (jobs_.empty()) return;
        auto job = std::move(jobs_.front());
        jobs_.pop_front();
        --idle_;
        lock.unlock();
        job();
        job = nullptr; // what it held is destroyed before the next runs
        lock.lock();
        ++idle_;
    }
}

} // namespace acmetool::base
