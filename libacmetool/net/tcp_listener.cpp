#include "net/tcp_listener.h"

#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <vector>

#include <fmt/core.h>

#include "base/thread.h"

namespace acmetool::net
{
namespace
{

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMostConnections = 64;
constexpr std::chrono::seconds kLimit{10};
constexpr std::chrono::milliseconds kPause{100}; ///< while no descriptor is free

/// A socket and what is said on it.
struct Accepted {
    int fd = -1;
    std::unique_ptr<Conversation> conversation;
    Bytes pending;        ///< not sent yet
    bool last = false;    ///< after `pending` nothing follows
    bool closing = false; ///< our side is shut; the peer's octets are read until it closes, too
    Clock::time_point deadline;

    /// False once the connection is over.
    bool receive()
    {
        std::array<std::uint8_t, 4096> buffer{};
        const ssize_t got = recv(fd, buffer.data(), buffer.size(), 0);
        if (got < 0) return errno == EAGAIN || errno == EINTR;
        if (got == 0) return false;
        if (!last) last = !conversation->take({buffer.data(), static_cast<std::size_t>(got)}, pending);
        return send_pending();
    }

    bool send_pending()
    {
        while (!pending.empty()) {
            const ssize_t sent = send(fd, pending.data(), pending.size(), MSG_NOSIGNAL);
            if (sent < 0) return errno == EAGAIN || errno == EINTR;
            pending.erase(pending.begin(), pending.begin() + sent);
        }
        // Closing at once would reset the connection under a reply that the peer has not read.
        if (last && !closing) closing = shutdown(fd, SHUT_WR) == 0;
        return !last || closing;
    }
};

Result<int> listen_at(const addrinfo& address, const std::string& where)
{
    const int fd = socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const int yes = 1;
    const int no = 0;
    if (fd >= 0) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (fd >= 0 && address.ai_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no);
    if (fd >= 0 && bind(fd, address.ai_addr, address.ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0)
        return fd;
    const int problem = errno;
    if (fd >= 0) close(fd);
    auto error = fail(Errc::cannot_create, fmt::format("listening on {}: {}", where, std::strerror(problem)),
                      "does another program listen there?", "listen");
    if (problem == EACCES) {
        error.value().code = Errc::config;
        error.value().hint =
            "ports below 1024 need CAP_NET_BIND_SERVICE, or a port that the CA's connections "
            "are forwarded to";
    }
    if (problem == EADDRNOTAVAIL || problem == EAFNOSUPPORT) {
        error.value().code = Errc::config;
        error.value().hint = "an address of this very host is needed";
    }
    return error;
}

} // namespace

Result<std::unique_ptr<TcpListener>> TcpListener::start(const std::string& host, std::uint16_t port,
                                                        Answer answer)
{
    // One socket for both families where the kernel has IPv6.
    const std::vector<std::string> candidates =
        host.empty() ? std::vector<std::string>{"::", "0.0.0.0"} : std::vector{host};
    Result<int> fd = fail(Errc::internal, "nothing to listen on");
    for (const auto& candidate : candidates) {
        const auto where = fmt::format("{}:{}", candidate, port);
        addrinfo wanted{};
        wanted.ai_socktype = SOCK_STREAM;
        wanted.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
        addrinfo* found = nullptr;
        const int code = getaddrinfo(candidate.c_str(), std::to_string(port).c_str(), &wanted, &found);
        if (code != 0)
            return fail(Errc::config, fmt::format("listening on {}: {}", where, gai_strerror(code)),
                        "an address of this very host is needed", "listen");
        fd = listen_at(*found, where);
        freeaddrinfo(found);
        if (fd || fd.error().code == Errc::cannot_create) break;
    }
    if (!fd) return fail(std::move(fd).error());
    return std::unique_ptr<TcpListener>{new TcpListener{*fd, std::move(answer)}};
}

TcpListener::TcpListener(int socket, Answer answer)
    : socket_(socket), stop_(eventfd(0, EFD_CLOEXEC)), answer_(std::move(answer))
{
    thread_ = base::start_thread("listener", [this] { serve(); });
}

TcpListener::~TcpListener()
{
    const std::uint64_t one = 1;
    if (write(stop_, &one, sizeof one) != sizeof one)
        std::terminate(); // cannot be, and the thread would stay
    thread_.join();
    close(stop_);
    close(socket_);
}

std::uint16_t TcpListener::port() const
{
    sockaddr_in6 address{};
    socklen_t size = sizeof address;
    getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size);
    return ntohs(address.sin6_port); // at the same place for IPv4
}

void TcpListener::serve()
{
    std::vector<Accepted> connections;
    // The connection that waits keeps the socket readable: poll(2) would return at once, again and again.
    Clock::time_point paused_until{};
    const auto drop = [&](std::size_t i) {
        close(connections[i].fd);
        connections.erase(connections.begin() + static_cast<std::ptrdiff_t>(i));
        paused_until = {};
    };
    for (;;) {
        const auto now = Clock::now();
        const bool paused = now < paused_until;
        std::vector<pollfd> entries{{stop_, POLLIN, 0}, {paused ? -1 : socket_, POLLIN, 0}};
        int timeout = -1;
        const auto wait_until = [&](Clock::time_point time) {
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(time - now).count();
            const int most = static_cast<int>(std::max<std::int64_t>(left, 0));
            timeout = timeout < 0 ? most : std::min(timeout, most);
        };
        if (paused) wait_until(paused_until);
        for (const auto& connection : connections) {
            const auto events = connection.pending.empty() ? POLLIN : POLLIN | POLLOUT;
            entries.push_back({connection.fd, static_cast<short>(events), 0});
            wait_until(connection.deadline);
        }
        if (poll(entries.data(), entries.size(), timeout) < 0 && errno != EINTR) break;
        if (entries[0].revents != 0) break;
        const auto later = Clock::now();
        for (std::size_t i = connections.size(); i-- > 0;) {
            auto& connection = connections[i];
            const auto seen = entries[i + 2].revents;
            bool usable = later < connection.deadline;
            if (usable && (seen & POLLOUT) != 0) usable = connection.send_pending();
            if (usable && (seen & (POLLIN | POLLHUP | POLLERR)) != 0) usable = connection.receive();
            if (!usable) drop(i);
        }
        if ((entries[1].revents & POLLIN) == 0) continue;
        const int fd = accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0) {
            if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM) continue;
            ++pauses_;
            paused_until = later + kPause;
            continue;
        }
        if (connections.size() >= kMostConnections) drop(0);
        connections.push_back({fd, answer_(), {}, false, false, later + kLimit});
    }
    for (const auto& connection : connections)
        close(connection.fd);
}

} // namespace acmetool::net
