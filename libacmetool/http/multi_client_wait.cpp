#include "http/multi_client_wait.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <system_error>
#include <utility>

#include "base/time.h"

namespace acmetool::http
{
namespace
{

constexpr std::size_t kReadyAtOnce = 32;

} // namespace

MultiClientWait::MultiClientWait()
    : ready_(epoll_create1(EPOLL_CLOEXEC)), woken_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK))
{
    epoll_event event{};
    event.events = EPOLLIN | EPOLLET; // each write(2) wakes once: nothing has to be read
    event.data.ptr = nullptr;
    if (ready_.get() < 0 || woken_.get() < 0 ||
        epoll_ctl(ready_.get(), EPOLL_CTL_ADD, woken_.get(), &event) != 0)
        throw std::system_error{errno, std::generic_category(), "epoll"};
}

void MultiClientWait::wait(base::Worker::Clock::time_point until)
{
    for (const auto& client : clients_)
        until = std::min(until, client->due());
    std::array<epoll_event, kReadyAtOnce> events{};
    const int count = epoll_wait(ready_.get(), events.data(), events.size(), base::milliseconds_until(until));
    const auto now = base::Worker::Clock::now();
    for (const auto& client : clients_) {
        const auto is_ready = [&client](const epoll_event& event) { return event.data.ptr == client.get(); };
        if (client->due() <= now ||
            std::any_of(events.begin(), events.begin() + std::max(count, 0), is_ready))
            client->run(base::Milliseconds{0});
    }
}

void MultiClientWait::wake()
{
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto octets = write(woken_.get(), &one, sizeof one);
}

MultiClient& MultiClientWait::add(std::unique_ptr<MultiClient> client)
{
    auto& added = *clients_.emplace_back(std::move(client));
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = &added;
    // Without a descriptor it fails all requests.
    epoll_ctl(ready_.get(), EPOLL_CTL_ADD, added.descriptor(), &event);
    return added;
}

void MultiClientWait::remove(MultiClient& client)
{
    const auto found = std::find_if(clients_.begin(), clients_.end(),
                                    [&client](const auto& one) { return one.get() == &client; });
    if (found == clients_.end()) return;
    epoll_ctl(ready_.get(), EPOLL_CTL_DEL, client.descriptor(), nullptr);
    const auto removed = std::move(*found); // its callbacks may own what sends requests
    clients_.erase(found);
}

} // namespace acmetool::http
