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
namespace
{

class ConditionWait final : public Worker::Wait
{
public:
    void wait(Worker::Clock::time_point until) override
    {
        std::unique_lock lock{mutex_};
        const auto woken = [this] { return woken_; };
        if (until == Worker::Clock::time_point::max())
            changed_.wait(lock, woken);
        else
            changed_.wait_until(lock, until, woken);
        woken_ = false;
    }
    void wake() override
    {
        {
            const std::lock_guard lock{mutex_};
            woken_ = true;
        }
        changed_.notify_one();
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool woken_ = false;
};

} // namespace

struct Worker::Mailbox final : Executor {
    explicit Mailbox(std::unique_ptr<Wait> the_wait) : wait(std::move(the_wait)) {}

    bool post(Task task) override
    {
        const std::lock_guard lock{mutex};
        if (stopped) return false;
        const bool first = tasks.empty();
        tasks.push_back(std::move(task));
        if (first) wait->wake();
        return true;
    }

    std::mutex mutex; ///< of all below; `wait` is woken under it, so that it is not destroyed meanwhile
    std::unique_ptr<Wait> wait;
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
    for (;;) {
        std::deque<Worker::Task> tasks;
        auto until = Worker::Clock::time_point::max();
        {
            const std::lock_guard lock{box.mutex};
            tasks.swap(box.tasks);
            if (tasks.empty() && box.stopping) {
                box.stopped = true;
                return;
            }
            if (!box.timers.empty()) until = box.timers.begin()->first.first;
        }
        const auto now = Worker::Clock::now();
        // Also while tasks keep coming, so that they do not hold up what the wait does besides.
        box.wait->wait(tasks.empty() ? until : now);
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
    : mailbox_(std::make_shared<Mailbox>(wait ? std::move(wait) : std::make_unique<ConditionWait>())),
      thread_(std::make_unique<Thread>())
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
    return mailbox_->post(std::move(task));
}

Worker::Timer Worker::at(Clock::time_point when, Task task)
{
    const std::lock_guard lock{mailbox_->mutex};
    const auto timer = ++mailbox_->last_timer;
    if (mailbox_->stopped || mailbox_->stopping) return timer;
    const auto added = mailbox_->timers.emplace(std::pair{when, timer}, std::move(task)).first;
    mailbox_->when_of.emplace(timer, when);
    if (added == mailbox_->timers.begin()) mailbox_->wait->wake();
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
        const std::lock_guard lock{mailbox_->mutex};
        mailbox_->stopping = true;
        dropped.swap(mailbox_->timers);
        mailbox_->when_of.clear();
        if (!mailbox_->stopped) mailbox_->wait->wake();
    }
    dropped.clear();
    if (!thread_->thread.joinable()) return;
    thread_->thread.join();
    const std::lock_guard lock{mailbox_->mutex};
    mailbox_->wait.reset();
}

} // namespace acmetool::base
