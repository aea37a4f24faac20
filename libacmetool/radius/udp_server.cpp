#include "radius/udp_server.h"

#include <array>
#include <thread>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "radius/packet.h"

namespace acmetool::radius
{

namespace asio = boost::asio;
using asio::ip::udp;
using Problem = boost::system::error_code;

struct UdpServer::Impl : std::enable_shared_from_this<UdpServer::Impl> {
    asio::io_context io{1};
    udp::socket socket{io};
    asio::steady_timer timer{io};
    Handler handler;
    std::function<void()> tick;
    std::array<std::uint8_t, kLargestPacket> buffer{};
    udp::endpoint from;
    std::thread thread;

    void receive()
    {
        socket.async_receive_from(asio::buffer(buffer), from, [this](Problem problem, std::size_t size) {
            if (problem == asio::error::operation_aborted) return;
            if (!problem) answer(size);
            receive();
        });
    }
    void answer(std::size_t size)
    {
        auto address = from.address();
        if (address.is_v6() && address.to_v6().is_v4_mapped())
            address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
        const auto to = from;
        handler(ByteView{buffer.data(), size}, address.to_string(), from.port(),
                [weak = weak_from_this(), to](Bytes octets) {
                    const auto self = weak.lock();
                    if (!self) return;
                    asio::post(self->io, [raw = self.get(), to, octets = std::move(octets)] {
                        Problem ignored; // the NAS asks again
                        raw->socket.send_to(asio::buffer(octets), to, 0, ignored);
                    });
                });
    }
    void wait()
    {
        timer.expires_after(std::chrono::seconds{1});
        timer.async_wait([this](Problem problem) {
            if (problem) return;
            tick();
            wait();
        });
    }
};

UdpServer::UdpServer(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

UdpServer::~UdpServer()
{
    impl_->io.stop();
    if (impl_->thread.joinable()) impl_->thread.join();
}

Result<std::unique_ptr<UdpServer>> UdpServer::start(const std::string& address, std::uint16_t port,
                                                    Handler handler, std::function<void()> tick)
{
    auto impl = std::make_shared<Impl>();
    impl->handler = std::move(handler);
    impl->tick = std::move(tick);
    Problem problem;
    const auto host = asio::ip::make_address(address, problem);
    if (problem) return fail(Errc::config, address + " is not an IP address", {}, "badConfig");
    const udp::endpoint endpoint{host, port};
    impl->socket.open(endpoint.protocol(), problem);
    if (!problem && host.is_v6()) impl->socket.set_option(asio::ip::v6_only{!host.is_unspecified()}, problem);
    if (!problem) impl->socket.bind(endpoint, problem);
    if (problem)
        return fail(Errc::cannot_create,
                    "UDP " + address + " port " + std::to_string(port) + ": " + problem.message(),
                    "is another RADIUS server running?");
    Problem ignored; // a smaller buffer works, too
    impl->socket.set_option(asio::socket_base::receive_buffer_size{1 << 20}, ignored);
    impl->receive();
    impl->wait();
    impl->thread = std::thread{[raw = impl.get()] { raw->io.run(); }};
    return std::unique_ptr<UdpServer>{new UdpServer{std::move(impl)}};
}

std::uint16_t UdpServer::port() const
{
    Problem ignored;
    return impl_->socket.local_endpoint(ignored).port();
}

} // namespace acmetool::radius
