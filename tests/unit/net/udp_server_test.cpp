#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include <doctest/doctest.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "net/udp_server.h"

using namespace acmetool;

namespace
{

using Address = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

Address resolve(const char* address, std::uint16_t port)
{
    addrinfo hints{};
    hints.ai_socktype = SOCK_DGRAM;
    hints.ai_flags = AI_NUMERICHOST;
    addrinfo* found = nullptr;
    REQUIRE(getaddrinfo(address, std::to_string(port).c_str(), &hints, &found) == 0);
    return {found, freeaddrinfo};
}

/// What a server on `listen` answers to a client at `own` that asks it at `address`, and hears that address
/// only.
std::string ask(const std::string& listen, const char* address, const char* own)
{
    const auto server = net::UdpServer::open(listen, 0);
    REQUIRE(server);
    (*server)->serve(
        [](ByteView datagram, const std::string& from, std::uint16_t, const net::UdpServer::Reply& reply) {
            const auto text = std::string{as_text(datagram)} + " from " + from;
            reply({text.begin(), text.end()});
        });
    const auto to = resolve(address, (*server)->port());
    const auto from = resolve(own, 0);
    const int fd = socket(to->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const timeval patience{60, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    REQUIRE(bind(fd, from->ai_addr, from->ai_addrlen) == 0);
    REQUIRE(connect(fd, to->ai_addr, to->ai_addrlen) == 0);
    std::string reply(100, ' ');
    CHECK(send(fd, "asked", 5, 0) == 5);
    const auto size = recv(fd, reply.data(), reply.size(), 0);
    close(fd);
    reply.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
    return reply;
}

/// A socket whose peer is that port of 127.0.0.1. What does not come within a minute fails.
int connect_to(std::uint16_t port)
{
    const auto to = resolve("127.0.0.1", port);
    const int fd = socket(to->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const timeval patience{60, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    REQUIRE(connect(fd, to->ai_addr, to->ai_addrlen) == 0);
    return fd;
}

bool has_ipv6()
{
    const int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_in6 loopback{};
    loopback.sin6_family = AF_INET6;
    loopback.sin6_addr = IN6ADDR_LOOPBACK_INIT;
    const bool bound = bind(fd, reinterpret_cast<const sockaddr*>(&loopback), sizeof loopback) == 0;
    close(fd);
    return bound;
}

} // namespace

TEST_CASE("RAD-12, FLD-R2: an answer leaves from the address that was asked")
{
    CHECK(ask("127.0.0.1", "127.0.0.1", "127.0.0.1") == "asked from 127.0.0.1");
    CHECK(ask("0.0.0.0", "127.0.0.2", "127.0.0.1") == "asked from 127.0.0.1");
    if (!has_ipv6()) return;
    CHECK(ask("::", "127.0.0.2", "127.0.0.1") == "asked from 127.0.0.1");
    CHECK(ask("::", "::1", "::1") == "asked from ::1");
    CHECK(ask("::1", "::1", "::1") == "asked from ::1");
}

TEST_CASE("RAD-12, FLD-R2: an answer leaves from the second IPv6 address if that was asked")
{
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        if (unshare(CLONE_NEWNET) != 0 ||
            std::system(
                "ip link set lo up && ip addr add fd00::2/128 dev lo nodad && " // NOLINT
                "for i in $(seq 100); do " // the kernel makes the routes a little later
                "ip -6 route get fd00::2 from ::1 >/dev/null 2>&1 && exit 0; sleep 0.1; done; exit 1") != 0)
            _exit(77);
        int status = 1;
        try {
            status = ask("::", "fd00::2", "::1") == "asked from ::1" ? 0 : 1;
        } catch (...) { // what doctest throws must not have the child go on with the other tests
        }
        _exit(status);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    REQUIRE(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        MESSAGE("no network namespace for a second address");
    else
        CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("A UDP server's timers run on its thread in the order of their times, and not after its end")
{
    auto server = net::UdpServer::open("127.0.0.1", 0);
    REQUIRE(server);
    const auto timers = (*server)->timers();
    const auto now = std::chrono::steady_clock::now();
    std::string order;
    std::promise<std::thread::id> first;
    std::promise<std::thread::id> last;
    timers(now + std::chrono::milliseconds{40}, [&] {
        order += 'b';
        last.set_value(std::this_thread::get_id());
    });
    timers(now + std::chrono::milliseconds{20}, [&] {
        order += 'a';
        first.set_value(std::this_thread::get_id());
    });
    const auto held = std::make_shared<int>();
    timers(now + std::chrono::hours{1}, [&order, held] { order += 'c'; });
    (*server)->serve([](ByteView, const std::string&, std::uint16_t, const net::UdpServer::Reply&) {});
    const auto thread = first.get_future().get();
    CHECK(thread != std::this_thread::get_id());
    CHECK(last.get_future().get() == thread);
    CHECK(std::chrono::steady_clock::now() - now >= std::chrono::milliseconds{40});
    server->reset();
    timers(now, [&] { order += 'd'; });
    CHECK(order == "ab");
    CHECK(held.use_count() == 1);
}

TEST_CASE("A UDP server's threads answer at the same time")
{
    auto server = net::UdpServer::open("127.0.0.1", 0, 2);
    REQUIRE(server);
    std::mutex mutex;
    std::condition_variable changed;
    int inside = 0;
    (*server)->serve([&](ByteView datagram, const std::string&, std::uint16_t,
                         const net::UdpServer::Reply& reply) {
        std::unique_lock lock{mutex};
        ++inside;
        changed.notify_all();
        const bool together = changed.wait_for(lock, std::chrono::seconds{60}, [&] { return inside == 2; });
        reply(together ? Bytes{datagram.begin(), datagram.end()} : Bytes{});
    });
    const int fd = connect_to((*server)->port());
    std::array<char, 10> reply{};
    CHECK(send(fd, "a", 1, 0) == 1);
    CHECK(send(fd, "b", 1, 0) == 1);
    const auto first = recv(fd, reply.data(), reply.size(), 0);
    const auto second = recv(fd, reply.data() + 1, reply.size() - 1, 0);
    close(fd);
    CHECK(first == 1);
    CHECK(second == 1);
    CHECK(reply[0] + reply[1] == 'a' + 'b');
}

TEST_CASE("A UDP server's first thread that has nothing to do answers: a client is not passed around")
{
    auto server = net::UdpServer::open("127.0.0.1", 0, 4);
    REQUIRE(server);
    std::mutex mutex;
    std::map<std::thread::id, int> answered;
    (*server)->serve(
        [&](ByteView datagram, const std::string&, std::uint16_t, const net::UdpServer::Reply& reply) {
            {
                const std::lock_guard lock{mutex};
                ++answered[std::this_thread::get_id()];
            }
            reply({datagram.begin(), datagram.end()});
        });
    const int fd = connect_to((*server)->port());
    std::array<char, 10> reply{};
    for (int i = 0; i < 100; ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds{1}); // it waits again by then, mostly
        REQUIRE(send(fd, "a", 1, 0) == 1);
        REQUIRE(recv(fd, reply.data(), reply.size(), 0) == 1);
    }
    close(fd);
    int most = 0;
    for (const auto& [thread, count] : answered)
        most = std::max(most, count);
    CHECK(most > 50); // in turns, it would be 25
}

TEST_CASE("Callbacks that are bound to a UDP server come to its thread, and nowhere once it is destroyed")
{
    auto server = net::UdpServer::open("127.0.0.1", 0);
    REQUIRE(server);
    (*server)->serve([](ByteView, const std::string&, std::uint16_t, const net::UdpServer::Reply&) {});
    std::promise<std::thread::id> timed;
    (*server)->timers()({}, [&timed] { timed.set_value(std::this_thread::get_id()); });
    const auto thread = timed.get_future().get();
    std::promise<std::thread::id> told;
    const auto callback =
        base::bind((*server)->executor(), [&told](int) { told.set_value(std::this_thread::get_id()); });
    callback(1);
    CHECK(told.get_future().get() == thread);
    server->reset();
    callback(2); // a second set_value would throw
}
