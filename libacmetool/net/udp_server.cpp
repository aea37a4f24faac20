#include "net/udp_server.h"

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <span>
#include <thread>
#include <vector>

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "base/descriptor.h"
#include "base/thread.h"

namespace acmetool::net
{

namespace asio = boost::asio;
using asio::ip::udp;
using Problem = boost::system::error_code;

namespace
{

/// The address of ours that a datagram came to, and that its answer has to leave from. Asio has no call for
/// it.
struct Asked {
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(in6_pktinfo))> control{};
    std::size_t size = 0;
};

template <class T>
void keep(Asked& asked, const cmsghdr& header, const T& value)
{
    cmsghdr own{};
    own.cmsg_level = header.cmsg_level;
    own.cmsg_type = header.cmsg_type;
    own.cmsg_len = CMSG_LEN(sizeof(T));
    std::memcpy(asked.control.data(), &own, sizeof own);
    std::memcpy(CMSG_DATA(reinterpret_cast<cmsghdr*>(asked.control.data())), &value, sizeof value);
    asked.size = CMSG_SPACE(sizeof(T));
}

/// By which one thread waits for datagrams. The kernel asks these in the order of their making and wakes the
/// thread of the first that is waited for. So a client that waits for each answer is always served by the
/// same thread, whose caches know it; threads blocked in recvmsg(2) would take turns.
Result<base::Descriptor> wait_for_datagrams(int socket)
{
    base::Descriptor waiting{epoll_create1(EPOLL_CLOEXEC)};
    epoll_event event{.events = EPOLLIN | EPOLLEXCLUSIVE, .data = {}};
    if (waiting.get() < 0 || epoll_ctl(waiting.get(), EPOLL_CTL_ADD, socket, &event) < 0)
        return fail(Errc::cannot_create, std::string{"epoll: "} + std::strerror(errno),
                    "may this process open more files (LimitNOFILE)?");
    return waiting;
}

/// The control data for the answer. The way there is the kernel's choice, but for link-local addresses, which
/// say nothing without their interface.
Asked asked_of(msghdr& message)
{
    Asked asked;
    for (auto* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO) {
            in_pktinfo info{};
            std::memcpy(&info, CMSG_DATA(header), sizeof info);
            info.ipi_ifindex = 0;
            keep(asked, *header, info);
        } else if (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_PKTINFO) {
            in6_pktinfo info{};
            std::memcpy(&info, CMSG_DATA(header), sizeof info);
            if (!IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr)) info.ipi6_ifindex = 0;
            keep(asked, *header, info);
        }
    }
    return asked;
}

} // namespace

struct UdpServer::Impl final : base::Executor, std::enable_shared_from_this<UdpServer::Impl> {
    asio::io_context io{1}; ///< callbacks and timers, on a thread of their own
    asio::executor_work_guard<asio::io_context::executor_type> not_over{io.get_executor()};
    asio::io_context of_nobody{1}; ///< of the socket, whose datagrams would wake the thread of `io` as well
    udp::socket socket{of_nobody};
    std::vector<base::Descriptor> waits; ///< one for each thread that answers
    Handler handler;
    std::atomic<bool> stopping = false;
    std::vector<std::thread> threads;

    bool post(Task task) override
    {
        asio::post(io, std::move(task));
        return true;
    }
    /// The kernel wakes one of the threads for each datagram, which answers it without another's help: on a
    /// machine with little to do, waking a thread takes longer than most answers.
    void receive(int waiting)
    {
        std::array<std::uint8_t, kLargestDatagram> buffer{};
        epoll_event event{};
        while (!stopping)
            if (epoll_wait(waiting, &event, 1, -1) > 0) take_one(buffer);
    }
    void take_one(std::span<std::uint8_t> buffer)
    {
        udp::endpoint from;
        Asked raw;
        iovec part{buffer.data(), buffer.size()};
        msghdr message{};
        message.msg_name = from.data();
        message.msg_namelen = static_cast<socklen_t>(from.capacity());
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = raw.control.data();
        message.msg_controllen = raw.control.size();
        const auto size = recvmsg(socket.native_handle(), &message, MSG_DONTWAIT);
        if (size < 0 || stopping) return;
        from.resize(message.msg_namelen);
        answer({buffer.data(), static_cast<std::size_t>(size)}, from, asked_of(message));
    }
    void answer(ByteView datagram, const udp::endpoint& from, const Asked& asked)
    {
        auto address = from.address();
        if (address.is_v6() && address.to_v6().is_v4_mapped())
            address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
        handler(datagram, address.to_string(), from.port(),
                [weak = weak_from_this(), from, asked](Bytes octets) {
                    if (const auto self = weak.lock()) self->send(std::move(octets), from, asked);
                });
    }
    void stop()
    {
        stopping = true;
        shutdown(socket.native_handle(), SHUT_RDWR); // Linux wakes the threads, although nothing is connected
        io.stop();
        for (auto& thread : threads)
            if (thread.joinable()) thread.join();
        threads.clear();
    }
    /// What cannot be sent is lost: the NAS asks again.
    void send(Bytes octets, udp::endpoint to, Asked asked)
    {
        iovec part{octets.data(), octets.size()};
        msghdr message{};
        message.msg_name = to.data();
        message.msg_namelen = static_cast<socklen_t>(to.size());
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = asked.size == 0 ? nullptr : asked.control.data();
        message.msg_controllen = asked.size;
        while (sendmsg(socket.native_handle(), &message, MSG_NOSIGNAL) < 0 && errno == EINTR) {
        }
    }
    Problem want_addresses()
    {
        const int on = 1;
        const bool v6 = socket.local_endpoint().address().is_v6();
        const int failed =
            v6 ? setsockopt(socket.native_handle(), IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on)
               : setsockopt(socket.native_handle(), IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
        return failed == 0 ? Problem{} : Problem{errno, boost::system::system_category()};
    }
    void start_timer(std::chrono::steady_clock::time_point when, Task task)
    {
        auto timer = std::make_shared<asio::steady_timer>(io, when);
        timer->async_wait([timer, task = std::move(task)](Problem problem) {
            if (!problem) task();
        });
    }
};

UdpServer::UdpServer(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

UdpServer::~UdpServer()
{
    impl_->stop();
}

Result<std::unique_ptr<UdpServer>> UdpServer::open(const std::string& address, std::uint16_t port,
                                                   unsigned threads)
{
    auto impl = std::make_shared<Impl>();
    Problem problem;
    const auto host = asio::ip::make_address(address, problem);
    if (problem) return fail(Errc::config, address + " is not an IP address", {}, "badConfig");
    const udp::endpoint endpoint{host, port};
    impl->socket.open(endpoint.protocol(), problem);
    if (!problem && host.is_v6()) impl->socket.set_option(asio::ip::v6_only{!host.is_unspecified()}, problem);
    if (!problem) impl->socket.bind(endpoint, problem);
    if (!problem) problem = impl->want_addresses();
    if (problem)
        return fail(Errc::cannot_create,
                    "UDP " + address + " port " + std::to_string(port) + ": " + problem.message(),
                    "is another RADIUS server running?");
    for (unsigned i = 0; i < threads; ++i) {
        ACMETOOL_TRY(waiting, wait_for_datagrams(impl->socket.native_handle()));
        impl->waits.push_back(std::move(waiting));
    }
    Problem ignored; // a smaller buffer works, too
    impl->socket.set_option(asio::socket_base::receive_buffer_size{1 << 20}, ignored);
    return std::unique_ptr<UdpServer>{new UdpServer{std::move(impl)}};
}

void UdpServer::serve(Handler handler)
{
    impl_->handler = std::move(handler);
    impl_->threads.push_back(base::start_thread("udp", [raw = impl_.get()] { raw->io.run(); }));
    for (const auto& waiting : impl_->waits)
        impl_->threads.push_back(
            base::start_thread("udp", [raw = impl_.get(), fd = waiting.get()] { raw->receive(fd); }));
}

UdpServer::Timers UdpServer::timers() const
{
    return [weak = std::weak_ptr<Impl>{impl_}](std::chrono::steady_clock::time_point when, Task task) {
        const auto self = weak.lock();
        if (!self) return;
        asio::post(self->io, [raw = self.get(), when, task = std::move(task)]() mutable {
            raw->start_timer(when, std::move(task));
        });
    };
}

std::weak_ptr<base::Executor> UdpServer::executor() const
{
    return impl_;
}

std::uint16_t UdpServer::port() const
{
    Problem ignored;
    return impl_->socket.local_endpoint(ignored).port();
}

} // namespace acmetool::net
