#include "base/worker.h"

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "base/thread.h"

namespace acmetool::base
{
struct Worker::Mailbox final : Executor {
    explicit Mailbox(std::unique_ptr<Wait> the_wait)
        : has_wait(the_wait != nullptr), wait(std::move(the_wait))
    {
    }

    bool post(Task task) override
    {
        std::unique_lock lock{mutex};
        if (stopped) return false;
        const bool first = tasks.empty();
        tasks.push_back(std::move(task));
        if (first) wake(lock);
        return true;
    }
    /// Unlocks if the thread sleeps here: else it would wake only to wait for the lock. On the thread itself
    /// there is nobody to wake: it looks for tasks and timers before it sleeps.
    void wake(std::unique_lock<std::mutex>& lock)
    {
        if (std::this_thread::get_id() == thread) return;
        if (has_wait) {
            wait->wake();
            return;
        }
        woken = true;
        lock.unlock();
        changed.notify_one();
    }
    /// What the thread does at `until`, or once woken, unless it has a Wait of its own.
    void sleep(std::unique_lock<std::mutex>& lock, Clock::time_point until)
    {
        const auto is_woken = [this] { return woken; };
        if (until == Clock::time_point::max())
            changed.wait(lock, is_woken);
        else
            changed.wait_until(lock, until, is_woken);
    }

    const bool has_wait;
    std::condition_variable changed;
    std::mutex mutex;       ///< of all below; `wait` is woken under it, so that it is not destroyed meanwhile
    std::thread::id thread; ///< that runs this; none until it has begun
    bool woken = false;
    std::unique_ptr<Wait> wait; ///< null: the thread sleeps here
    std::deque<Task> tasks;
    std::map<std::pair<Clock::time_point, Timer>, Task> timers;
    std::map<Timer, Clock::time_point> when_of;
    Timer last_timer = 0;
    bool stopping = false;
    bool stopped = false;
};

struct Worker::Thread {
    std::thread thread;
    std::thread::id id;
};

namespace
{

/// The first timer that is due at `now`; empty if none is.
template <typename Mailbox>
Worker::Task due_timer(Mailbox& box, Worker::Clock::time_point now)
{
    const std::lock_guard lock{box.mutex};
    if (box.timers.empty() || box.timers.begin()->first.first > now) return {};
    const auto first = box.timers.begin();
    auto task = std::move(first->second);
    box.when_of.erase(first->first.second);
    box.timers.erase(first);
    return task;
}

template <typename Mailbox>
void run(Mailbox& box)
{
    {
        const std::lock_guard lock{box.mutex};
        box.thread = std::this_thread::get_id();
    }
    for (;;) {
        std::deque<Worker::Task> tasks;
        auto until = Worker::Clock::time_point::max();
        {
            std::unique_lock lock{box.mutex};
            if (box.tasks.empty() && box.stopping) {
                box.stopped = true;
                return;
            }
            if (!box.timers.empty()) until = box.timers.begin()->first.first;
            if (!box.has_wait && box.tasks.empty()) box.sleep(lock, until);
            box.woken = false;
            tasks.swap(box.tasks);
        }
        const auto now = Worker::Clock::now();
        // Also while tasks keep coming, so that they do not hold up what the wait does besides.
        if (box.has_wait) box.wait->wait(tasks.empty() ? until : now);
        for (auto& task : tasks) {
            task();
            task = nullptr; // what it held is destroyed before the next runs
        }
        // One at a time: a timer may cancel the next one.
        while (auto task = due_timer(box, now))
            task();
    }
}

} // namespace

Worker::Worker(const std::string& name, std::unique_ptr<Wait> wait)
    : mailbox_(std::make_shared<Mailbox>(std::move(wait))), thread_(std::make_unique<Thread>())
{
    thread_->thread = start_thread(name, [box = mailbox_] { run(*box); });
    thread_->id = thread_->thread.get_id();
}

Worker::~Worker()
{
    stop();
}

bool Worker::post(Task task)
{
    const auto kept = mailbox_; // what the task does may end this
    return kept->post(std::move(task));
}

Worker::Timer Worker::at(Clock::time_point when, Task task)
{
    const auto kept = mailbox_; // as in post()
    std::unique_lock lock{kept->mutex};
    const auto timer = ++kept->last_timer;
    if (kept->stopped || kept->stopping) return timer;
    const auto added = kept->timers.emplace(std::pair{when, timer}, std::move(task)).first;
    kept->when_of.emplace(timer, when);
    if (added == kept->timers.begin()) kept->wake(lock);
    return timer;
}

void Worker::cancel(Timer timer)
{
    Task dropped; // destroyed outside of the lock
    const std::lock_guard lock{mailbox_->mutex};
    const auto found = mailbox_->when_of.find(timer);
    if (found == mailbox_->when_of.end()) return;
    const auto place = mailbox_->timers.find(std::pair{found->second, timer});
    dropped = std::move(place->second);
    mailbox_->timers.erase(place);
    mailbox_->when_of.erase(found);
}

std::shared_ptr<Executor> Worker::executor() const
{
    return mailbox_;
}

bool Worker::is_here() const
{
    return std::this_thread::get_id() == thread_->id;
}

void Worker::stop()
{
    decltype(mailbox_->timers) dropped;
    {
        std::unique_lock lock{mailbox_->mutex};
        mailbox_->stopping = true;
        dropped.swap(mailbox_->timers);
        mailbox_->when_of.clear();
        if (!mailbox_->stopped) mailbox_->wake(lock);
    }
    dropped.clear();
    if (!thread_->thread.joinable()) return;
    thread_->thread.join();
    const std::lock_guard lock{mailbox_->mutex};
    mailbox_->wait.reset();
}

} // namespace acmetool::base
