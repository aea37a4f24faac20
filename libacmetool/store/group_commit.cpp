#include "store/group_commit.h"

#include <algorithm>
#include <iterator>
#include <random>
#include <thread>
#include <utility>

namespace acmetool::store
{
namespace
{

constexpr std::size_t kMostInBatch = 256;
constexpr std::size_t kMostJobs = 20'000;
constexpr std::chrono::seconds kBeforeRetry{1};
constexpr int kConflicts = 3;   ///< of a transaction with those of others
constexpr int kLastRetries = 3; ///< at the end, if the database does not work

std::chrono::milliseconds some_time()
{
    thread_local std::minstd_rand numbers{std::random_device{}()};
    return std::chrono::milliseconds{std::uniform_int_distribution<int>{20, 100}(numbers)};
}

} // namespace

GroupCommit::GroupCommit(std::unique_ptr<Database> database, const std::string& name,
                         std::function<void()> uncertain)
    : database_(std::move(database)), uncertain_(std::move(uncertain)), worker_(name)
{
}

GroupCommit::~GroupCommit()
{
    stop();
}

bool GroupCommit::post(Job job)
{
    {
        const std::lock_guard lock{mutex_};
        if (stopped_ || (job.failed && (stopping_ || jobs_.size() >= kMostJobs))) return false;
        jobs_.push_back(std::move(job));
        if (std::exchange(scheduled_, true)) return true;
    }
    // Without the lock, for which the thread would wait as soon as it wakes.
    worker_.post([this] { run(); });
    return true;
}

std::optional<Error> GroupCommit::problem() const
{
    const std::lock_guard lock{mutex_};
    return problem_;
}

void GroupCommit::stop()
{
    {
        const std::lock_guard lock{mutex_};
        if (!std::exchange(stopping_, true)) worker_.post([this] { finish(); });
    }
    worker_.stop();
}

std::vector<GroupCommit::Job> GroupCommit::next_batch()
{
    const std::lock_guard lock{mutex_};
    std::vector<Job> batch;
    while (!jobs_.empty() && batch.size() < kMostInBatch) {
        batch.push_back(std::move(jobs_.front()));
        jobs_.pop_front();
    }
    return batch;
}

void GroupCommit::run()
{
    auto batch = next_batch();
    if (!batch.empty()) transact(batch, false);
    const std::lock_guard lock{mutex_};
    scheduled_ = !jobs_.empty();
    if (scheduled_) worker_.post([this] { run(); }); // after the timers that are due
}

void GroupCommit::finish()
{
    for (int retries_left = kLastRetries;;) {
        auto batch = next_batch();
        bool retries = false;
        {
            const std::lock_guard lock{mutex_};
            if (!again_.empty() && retries_left > 0) {
                --retries_left;
                retries = true;
                std::move(again_.begin(), again_.end(), std::back_inserter(batch));
                again_.clear();
            }
            if (batch.empty()) {
                stopped_ = true;
                return;
            }
        }
        transact(batch, retries);
    }
}

/// One transaction, again while others are in its way, and once if the connection broke: then nothing of it
/// is done.
Result<void> GroupCommit::attempt(const std::vector<Job>& batch, After& after)
{
    const auto once = [&]() -> Result<void> {
        ACMETOOL_CHECK(database_->begin());
        for (const auto& job : batch)
            ACMETOOL_CHECK(job.run(*database_, after));
        return database_->commit();
    };
    bool broke = false;
    for (int tries_left = kConflicts;; --tries_left) {
        after.clear();
        auto done = once();
        if (done || tries_left == 0) return done;
        const bool breaks = done.error().reason == Cause::store_away;
        if (done.error().reason != Cause::store_conflict && (!breaks || std::exchange(broke, true)))
            return done;
        database_->rollback();
        // Whoever was in the way comes to its end meanwhile: two that begin again at once meet again.
        if (!breaks) std::this_thread::sleep_for(some_time());
    }
}

void GroupCommit::transact(std::vector<Job>& batch, bool retries)
{
    After after;
    const auto before = database_->changes();
    const auto done = attempt(batch, after);
    const bool is_away =
        !done && (done.error().reason == Cause::store_away || done.error().reason == Cause::commit_unknown);
    if (!done && !is_away && database_->is_shared() && batch.size() > 1) {
        database_->rollback();
        for (auto& job : batch) {
            std::vector<Job> alone;
            alone.push_back(std::move(job));
            transact(alone, retries);
        }
        return;
    }
    {
        // Before the callbacks: who was answered must not read a problem that is over.
        const std::lock_guard lock{mutex_};
        if (!done)
            problem_ = done.error();
        else if (retries || database_->changes() != before)
            problem_.reset(); // a transaction that only reads succeeds on a full disk
        if (done && retries) probing_ = false;
    }
    if (done) {
        for (const auto& action : after)
            action();
        return;
    }
    database_->rollback();
    for (auto& job : batch)
        if (job.failed) job.failed(done.error());
    if (uncertain_ && done.error().reason == Cause::commit_unknown) uncertain_();
    std::erase_if(batch, [](const Job& job) { return static_cast<bool>(job.failed); });
    const std::lock_guard lock{mutex_};
    const bool is_timed = !again_.empty(); // by an earlier failure
    if (!std::exchange(probing_, true))
        again_.push_back({[](Database& database, After&) { return database.probe(); }, nullptr});
    std::move(batch.begin(), batch.end(), std::back_inserter(again_));
    if (stopping_ || is_timed) return;
    worker_.at(base::Worker::Clock::now() + kBeforeRetry, [this] {
        std::vector<Job> due;
        {
            const std::lock_guard guard{mutex_};
            due.swap(again_);
        }
        if (!due.empty()) transact(due, true);
    });
}

} // namespace acmetool::store
