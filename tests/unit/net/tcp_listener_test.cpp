#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include <doctest/doctest.h>

#include "http/server.h"
#include "net/tcp_listener.h"

using namespace acmetool;
using namespace std::chrono_literals;

namespace
{

/// Answers the first octets, and ends.
class Greeting final : public net::Conversation
{
public:
    bool take(ByteView /*received*/, Bytes& reply) override
    {
        reply = Bytes{'h', 'i'};
        return false;
    }
};

/// While it lasts, no descriptor is free in this process.
class NoDescriptors
{
public:
    NoDescriptors()
    {
        getrlimit(RLIMIT_NOFILE, &before_);
        const int free = open("/dev/null", O_RDONLY | O_CLOEXEC); // the lowest one
        close(free);
        const rlimit none{static_cast<rlim_t>(free), before_.rlim_max};
        REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);
    }
    ~NoDescriptors() { setrlimit(RLIMIT_NOFILE, &before_); }
    NoDescriptors(const NoDescriptors&) = delete;
    NoDescriptors& operator=(const NoDescriptors&) = delete;

private:
    rlimit before_{};
};

/// Connects while no descriptor is free, and reads until the server closes, with descriptors again.
template <class Count>
std::string greet_out_of_descriptors(std::uint16_t port, std::string_view request, Count pauses)
{
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    {
        const NoDescriptors none;
        const auto begun = std::chrono::steady_clock::now();
        REQUIRE(connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
        while (pauses() == 0)
            std::this_thread::sleep_for(10ms);
        std::this_thread::sleep_for(300ms);
        const auto seen = pauses();
        // Each takes 50 ms at least; there are ten thousands where nothing pauses.
        CHECK(seen <= static_cast<std::uint64_t>((std::chrono::steady_clock::now() - begun) / 50ms) + 1);
    }
    static_cast<void>(send(fd, request.data(), request.size(), MSG_NOSIGNAL));
    std::string text;
    char buffer[1024];
    for (ssize_t got = 0; (got = recv(fd, buffer, sizeof buffer, 0)) > 0;)
        text.append(buffer, static_cast<std::size_t>(got));
    close(fd);
    return text;
}

} // namespace

TEST_CASE("A listener without a free descriptor pauses, and takes the connection once there is one")
{
    const auto listener =
        net::TcpListener::start("127.0.0.1", 0, [] { return std::make_unique<Greeting>(); });
    REQUIRE(listener);
    CHECK(greet_out_of_descriptors((*listener)->port(), "x", [&] { return (*listener)->pauses(); }) == "hi");
}

TEST_CASE("A server without a free descriptor pauses, says so once, and serves the connection after that")
{
    std::atomic<int> told{0};
    http::ServerOptions options;
    options.out_of_descriptors = [&] { ++told; };
    const auto server = http::Server::start(options, [](const http::ServerRequest&) {
        return http::ServerResponse{200, {}, "hi\n", false};
    });
    REQUIRE(server);
    const auto answer =
        greet_out_of_descriptors((*server)->port(), "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                                 [&] { return (*server)->counts().pauses; });
    CHECK(answer.ends_with("\r\n\r\nhi\n"));
    CHECK(told == 1);
}
