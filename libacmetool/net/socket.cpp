#include "net/socket.h"

#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include <fmt/core.h>

#include "net/endpoint.h"

namespace acmetool::net
{
namespace
{

constexpr std::chrono::milliseconds kStep{100}; ///< how soon a signal is seen

struct AddressDeleter {
    void operator()(addrinfo* list) const noexcept { freeaddrinfo(list); }
};
using Addresses = std::unique_ptr<addrinfo, AddressDeleter>;

Result<Addresses> addresses_of(const std::string& host, std::uint16_t port)
{
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV;
    addrinfo* list = nullptr;
    const int problem = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
    if (problem != 0)
        return fail(Errc::unavailable, fmt::format("{}: {}", host, gai_strerror(problem)),
                    "check the host name in the URL and this host's resolver", Cause::resolve);
    return Addresses{list};
}

tl::unexpected<Error> cannot_connect(const std::string& host, std::uint16_t port, int problem)
{
    return fail(Errc::unavailable,
                fmt::format("{} port {}: cannot be connected to: {}", host, port, std::strerror(problem)),
                "is the server running, and does the URL name the right port?", Cause::connect);
}

} // namespace

Result<Socket> Socket::connect(const std::string& host, std::uint16_t port, Deadline deadline,
                               base::Context& context)
{
    ACMETOOL_TRY(addresses, addresses_of(host, port));
    int problem = ECONNREFUSED;
    for (const auto* address = addresses.get(); address != nullptr; address = address->ai_next) {
        Socket socket{::socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0),
                      Endpoint{host, port}.text()};
        if (!socket) {
            problem = errno;
            continue;
        }
        const int on = 1;
        setsockopt(socket.fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (::connect(socket.fd(), address->ai_addr, address->ai_addrlen) == 0) return socket;
        problem = errno;
        if (problem != EINPROGRESS) continue;
        // An address that swallows packets shall not use up the time of those after it.
        const auto left = deadline - context.steady_now();
        const auto share = address->ai_next == nullptr ? left : left / 2;
        const auto ready = socket.wait(true, context.steady_now() + share, context);
        if (!ready && ready.error().code == Errc::interrupted) return fail(ready.error());
        problem = ETIMEDOUT;
        if (!ready) continue;
        socklen_t size = sizeof problem;
        getsockopt(socket.fd(), SOL_SOCKET, SO_ERROR, &problem, &size);
        if (problem == 0) return socket;
    }
    return cannot_connect(host, port, problem);
}

Socket::Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)), peer_(std::move(other.peer_)) {}

Socket& Socket::operator=(Socket&& other) noexcept
{
    std::swap(fd_, other.fd_);
    std::swap(peer_, other.peer_);
    return *this;
}

Socket::~Socket()
{
    if (fd_ >= 0) ::close(fd_);
}

bool Socket::has_input() const
{
    pollfd waiting{fd_, POLLIN, 0};
    return poll(&waiting, 1, 0) > 0;
}

Result<void> Socket::wait(bool for_writing, Deadline deadline, base::Context& context) const
{
    if (const auto end = context.run_ends()) deadline = std::min(deadline, *end);
    const auto since = context.steady_now();
    for (;;) {
        if (context.interrupted()) return fail(base::interrupted_error("the connection"));
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - context.steady_now());
        if (left.count() <= 0)
            return fail(Errc::unavailable, "no answer in time",
                        "the server did not answer in time; run the same command again", Cause::timeout);
        pollfd waiting{fd_, static_cast<short>(for_writing ? POLLOUT : POLLIN), 0};
        const int ready = poll(&waiting, 1, static_cast<int>(std::min(left, kStep).count()));
        if (ready > 0) return {};
        if (ready == 0) context.waiting({"an answer from " + peer_, since, deadline});
        if (ready < 0 && errno != EINTR)
            return fail(Errc::unavailable, fmt::format("the connection failed: {}", std::strerror(errno)), {},
                        Cause::reset);
    }
}

} // namespace acmetool::net
