#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/worker.h"
#include "store/database.h"

#include "acmetool/export.h"

namespace acmetool::store
{

/// The one writer of a database: runs all jobs that wait in one transaction, commits once, and only then does
/// what they left to be done.
///
/// So whoever is answered is answered from what is on disk, and one fsync serves all who asked meanwhile.
/// Jobs and callbacks run on the worker's thread, one at a time; callbacks should be short, since the next
/// commit waits for them: hand longer work to its own thread (base::bind).
class ACMETOOL_EXPORT GroupCommit
{
public:
    using After = std::vector<std::function<void()>>;
    struct Job {
        /// In the transaction. What it pushes is called after the commit, in order. An error fails the whole
        /// transaction: only the database's own errors are returned. On a shared database it is run again
        /// after a conflict with another process, and alone if the transaction failed otherwise, so that
        /// nobody fails for what another job does.
        std::function<Result<void>(Database&, After&)> run;
        /// The transaction failed; nothing of `run` is kept. Empty: the job is tried again a second later.
        std::function<void(const Error&)> failed;
    };

    /// `name` is the thread's. `uncertain` is called on it after a commit of which nobody knows whether it is
    /// done: its jobs were told that they failed.
    GroupCommit(std::unique_ptr<Database> database, const std::string& name,
                std::function<void()> uncertain = {});
    ~GroupCommit(); ///< stops
    GroupCommit(const GroupCommit&) = delete;
    GroupCommit& operator=(const GroupCommit&) = delete;

    /// From any thread. False if too many jobs wait already (of those that have `failed`), or after stop().
    bool post(Job job);
    /// The error of the last transaction, until one that writes succeeds.
    std::optional<Error> problem() const;
    /// For timers and tasks between transactions.
    base::Worker& worker() { return worker_; }
    /// Runs what was posted, then ends: a job without `failed` is tried a few times more.
    void stop();

private:
    void run();
    void finish();
    std::vector<Job> next_batch();
    void transact(std::vector<Job>& batch, bool retries);
    Result<void> attempt(const std::vector<Job>& batch, After& after);

    std::unique_ptr<Database> database_;
    const std::function<void()> uncertain_;
    mutable std::mutex mutex_; ///< of all below but worker_
    std::deque<Job> jobs_;
    std::vector<Job> again_; ///< after a failed transaction; with a probe among them
    bool probing_ = false;
    std::optional<Error> problem_;
    bool scheduled_ = false;
    bool stopping_ = false;
    bool stopped_ = false;
    base::Worker worker_; ///< destroyed first
};

} // namespace acmetool::store
