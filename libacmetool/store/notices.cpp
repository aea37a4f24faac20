#include "store/notices.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/descriptor.h"
#include "base/time.h"
#include "store/pq_connection.h"

namespace acmetool::store
{
namespace
{

using Clock = base::Worker::Clock;
constexpr std::chrono::seconds kBetweenTries{2};

} // namespace

/// Sleeps on the connection's socket.
class Notices::Wait final : public base::Worker::Wait
{
public:
    Wait(Options options, Hear hear)
        : options_(std::move(options)), hear_(std::move(hear)), wakes_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK))
    {
    }
    void wait(Clock::time_point until) override
    {
        const auto now = Clock::now();
        if (until <= now) return;
        if (!connection_ && next_try_ <= now) return listen();
        if (!connection_) until = std::min(until, next_try_);
        pollfd watched[2] = {{wakes_.get(), POLLIN, 0},
                             {connection_ ? connection_->socket() : -1, POLLIN, 0}};
        if (::poll(watched, 2, base::milliseconds_until(until)) <= 0) return;
        std::uint64_t count = 0;
        if (watched[0].revents != 0) [[maybe_unused]]
            const auto octets = ::read(wakes_.get(), &count, sizeof count);
        if (watched[1].revents != 0) take();
    }
    void wake() override
    {
        const std::uint64_t one = 1;
        [[maybe_unused]] const auto octets = ::write(wakes_.get(), &one, sizeof one);
    }

private:
    void listen()
    {
        next_try_ = Clock::now() + kBetweenTries;
        auto made = PqConnection::open(options_);
        if (!made) return;
        (*made)->queue("LISTEN acmetool");
        if (!(*made)->run()) return;
        connection_ = std::move(*made);
        hear_({});
    }
    void take()
    {
        const auto payloads = connection_->notifications();
        if (!payloads) {
            connection_.reset();
            next_try_ = Clock::now();
            return;
        }
        for (const auto& payload : *payloads)
            hear_(payload);
    }

    const Options options_;
    const Hear hear_;
    const base::Descriptor wakes_;
    std::unique_ptr<PqConnection> connection_;
    Clock::time_point next_try_{};
};

Notices::Notices(Options options, Hear hear)
    : worker_("store-notices", std::make_unique<Wait>(std::move(options), std::move(hear)))
{
}

Notices::~Notices()
{
    worker_.stop();
}

} // namespace acmetool::store
