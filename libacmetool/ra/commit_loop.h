#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "base/result.h"
#include "ra/records.h"

namespace acmetool::ra
{

/// The one thread that writes to the store: takes all jobs that are there, runs them in one transaction,
/// commits, and only then does what they left to be done.
class CommitLoop
{
public:
    using After = std::vector<std::function<void()>>;
    struct Job {
        /// In the transaction. What it pushes is called after the commit, in order.
        std::function<Result<void>(Records&, After&)> run;
        /// The transaction failed; nothing of `run` holds. Empty: the job is tried again a second later.
        std::function<void(const Error&)> failed;
    };
    /// Called between transactions; returns when it wants to be called again.
    using Tick = std::function<std::chrono::steady_clock::time_point()>;

    CommitLoop(Records records, Tick tick);
    ~CommitLoop();
    void start();
    CommitLoop(const CommitLoop&) = delete;
    CommitLoop& operator=(const CommitLoop&) = delete;

    /// False where there are too many jobs already, or the loop was stopped; only `failed` jobs are turned
    /// away for their number.
    bool post(Job job);
    /// The tick is wanted now.
    void wake();
    /// Runs what was posted, then ends.
    void stop();
    /// What the last transaction failed with, until one that had to write succeeds.
    std::optional<Error> problem() const;

private:
    void run();
    void transact(std::vector<Job>& batch, bool retries);

    Records records_;
    Tick tick_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Job> jobs_;
    std::vector<Job> again_; ///< after a failed transaction; with a probe among them
    bool probing_ = false;
    std::chrono::steady_clock::time_point again_at_{};
    std::optional<Error> problem_;
    bool woken_ = false;
    bool stopping_ = false;
    bool stopped_ = false;
    std::thread thread_;
};

} // namespace acmetool::ra
