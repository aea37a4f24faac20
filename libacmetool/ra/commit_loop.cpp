#include "ra/commit_loop.h"

#include <algorithm>
#include <utility>

namespace acmetool::ra
{
namespace
{

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMostInBatch = 256;
constexpr std::size_t kMostJobs = 20'000;
constexpr std::chrono::seconds kBeforeRetry{1};
constexpr int kLastRetries = 3; ///< when it is to end and the store does not work

} // namespace

CommitLoop::CommitLoop(Records records, Tick tick) : records_(std::move(records)), tick_(std::move(tick)) {}

void CommitLoop::start()
{
    thread_ = std::thread{[this] { run(); }};
}

CommitLoop::~CommitLoop()
{
    stop();
}

bool CommitLoop::post(Job job)
{
    const std::lock_guard lock{mutex_};
    if (stopped_ || (job.failed && (stopping_ || jobs_.size() >= kMostJobs))) return false;
    jobs_.push_back(std::move(job));
    changed_.notify_one();
    return true;
}

void CommitLoop::wake()
{
    const std::lock_guard lock{mutex_};
    woken_ = true;
    changed_.notify_one();
}

void CommitLoop::stop()
{
    {
        const std::lock_guard lock{mutex_};
        stopping_ = true;
        changed_.notify_one();
    }
    if (thread_.joinable()) thread_.join();
}

std::optional<Error> CommitLoop::problem() const
{
    const std::lock_guard lock{mutex_};
    return problem_;
}

void CommitLoop::transact(std::vector<Job>& batch, bool retries)
{
    After after;
    const auto before = records_.total_changes();
    const auto attempt = [&]() -> Result<void> {
        ACMETOOL_CHECK(records_.begin());
        for (const auto& job : batch)
            ACMETOOL_CHECK(job.run(records_, after));
        return records_.commit();
    };
    const auto done = attempt();
    {
        // Before anybody is told, so that who was told and asks does not hear of the time before.
        const std::lock_guard lock{mutex_};
        if (!done)
            problem_ = done.error();
        else if (retries || records_.total_changes() != before)
            problem_.reset(); // reading alone works where the disk is full, too
        if (done && retries) probing_ = false;
    }
    if (done) {
        for (const auto& action : after)
            action();
        batch.clear();
        return;
    }
    records_.rollback();
    for (auto& job : batch)
        if (job.failed) job.failed(done.error());
    std::erase_if(batch, [](const Job& job) { return static_cast<bool>(job.failed); });
    const std::lock_guard lock{mutex_};
    if (!std::exchange(probing_, true))
        again_.push_back({[](Records& records, After&) { return records.probe(); }, nullptr});
    std::move(batch.begin(), batch.end(), std::back_inserter(again_));
    again_at_ = Clock::now() + kBeforeRetry;
}

void CommitLoop::run()
{
    int retries_left = kLastRetries;
    for (;;) {
        const auto wanted = tick_();
        std::vector<Job> batch;
        bool retries = false;
        {
            std::unique_lock lock{mutex_};
            const auto until = again_.empty() ? wanted : std::min(wanted, again_at_);
            changed_.wait_until(lock, until, [&] { return !jobs_.empty() || woken_ || stopping_; });
            woken_ = false;
            const bool last = stopping_ && retries_left > 0;
            if (!again_.empty() && (Clock::now() >= again_at_ || last)) {
                if (last) --retries_left;
                batch.swap(again_);
                retries = true;
            }
            while (!jobs_.empty() && batch.size() < kMostInBatch) {
                batch.push_back(std::move(jobs_.front()));
                jobs_.pop_front();
            }
            if (batch.empty() && stopping_ && (again_.empty() || retries_left == 0)) {
                stopped_ = true;
                break;
            }
        }
        if (!batch.empty()) transact(batch, retries);
    }
}

} // namespace acmetool::ra
