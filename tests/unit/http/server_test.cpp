#include <doctest/doctest.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <future>
#include <mutex>
#include <optional>
#include <thread>

#include "../comes_true.h"
#include "http/server.h"
#include "net/address_range.h"

using namespace acmetool;
using namespace std::chrono_literals;

namespace
{

/// A plain connection to a port of this host.
class Connection
{
public:
    explicit Connection(std::uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM, 0))
    {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        REQUIRE(connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    }
    ~Connection() { close(fd_); }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    void send(std::string_view text) const
    {
        static_cast<void>(::send(fd_, text.data(), text.size(), MSG_NOSIGNAL));
    }
    /// Everything until the server closes.
    std::string rest() const
    {
        std::string text;
        char buffer[4096];
        for (;;) {
            const auto got = recv(fd_, buffer, sizeof buffer, 0);
            if (got <= 0) return text;
            text.append(buffer, static_cast<std::size_t>(got));
        }
    }
    /// Until the text ends so.
    std::string until(std::string_view end) const
    {
        std::string text;
        char one = 0;
        while (!text.ends_with(end) && recv(fd_, &one, 1, 0) == 1)
            text += one;
        return text;
    }

private:
    int fd_;
};

http::ServerResponse echo(const http::ServerRequest& request)
{
    return {200, {{"Content-Type", "text/plain"}}, request.method + " " + request.body + "\n", false};
}

std::unique_ptr<http::Server> start(http::ServerOptions options = {})
{
    auto server = http::Server::start(options, echo);
    REQUIRE(server);
    return std::move(*server);
}

std::string get(std::uint16_t port, std::string_view more = "Connection: close\r\n")
{
    const Connection connection{port};
    connection.send("GET / HTTP/1.1\r\nHost: x\r\n" + std::string{more} + "\r\n");
    return connection.rest();
}

} // namespace

TEST_CASE("an answer given later, from another thread, and once")
{
    std::mutex mutex;
    std::condition_variable there;
    std::optional<http::Responder> waiting;
    auto server = http::Server::start(
        http::ServerOptions{},
        http::Server::AsyncHandler{[&](const http::ServerRequest&, http::Responder respond) {
            const std::lock_guard lock{mutex};
            waiting = std::move(respond);
            there.notify_one();
        }});
    REQUIRE(server);
    std::thread answerer{[&] {
        std::unique_lock lock{mutex};
        there.wait(lock, [&] { return waiting.has_value(); });
        (*waiting)({202, {{"Retry-After", "5"}}, "later\n", false});
        (*waiting)({200, {}, "twice\n", false});
        waiting.reset();
    }};
    const auto answer = get((*server)->port());
    answerer.join();
    CHECK(answer.starts_with("HTTP/1.1 202 "));
    CHECK(answer.find("Retry-After: 5\r\n") != std::string::npos);
    CHECK(answer.find("Content-Length: 6\r\n") != std::string::npos);
    CHECK(answer.ends_with("\r\n\r\nlater\n"));
}

TEST_CASE("a responder that is dropped answers 500; one that outlives the server harms nothing")
{
    std::vector<http::Responder> kept;
    std::mutex mutex;
    std::condition_variable there;
    auto server = http::Server::start(
        http::ServerOptions{},
        http::Server::AsyncHandler{[&](const http::ServerRequest& request, http::Responder respond) {
            if (request.target != "/keep") return;
            const std::lock_guard lock{mutex};
            kept.push_back(std::move(respond));
            there.notify_one();
        }});
    REQUIRE(server);
    CHECK(get((*server)->port()).starts_with("HTTP/1.1 500 "));
    const Connection connection{(*server)->port()};
    connection.send("GET /keep HTTP/1.1\r\nHost: x\r\n\r\n");
    {
        std::unique_lock lock{mutex};
        there.wait(lock, [&] { return !kept.empty(); });
    }
    server->reset();
    kept.front()({200, {}, "too late\n", false});
    kept.clear();
}

TEST_CASE("ESTS-21b: bodies over the limit 413, headers 431, junk 400; chunked uploads are taken")
{
    http::ServerOptions options;
    options.body_limit = 1000;
    options.header_limit = 2000;
    const auto server = start(options);
    const auto send = [&](const std::string& text) {
        const Connection connection{server->port()};
        connection.send(text);
        return connection.rest();
    };
    CHECK(send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n" + std::string(1001, 'a'))
              .starts_with("HTTP/1.1 413 "));
    CHECK(send("GET / HTTP/1.1\r\nHost: x\r\nX: " + std::string(3000, 'a') + "\r\n\r\n")
              .starts_with("HTTP/1.1 431 "));
    CHECK(send("\x16\x03\x01 hello there\r\n\r\n").starts_with("HTTP/1.1 400 "));
    const auto chunked = send("POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: "
                              "chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
    CHECK(chunked.starts_with("HTTP/1.1 200 "));
    CHECK(chunked.ends_with("POST abcde\n"));
    CHECK(chunked.find("chunked") == std::string::npos);
}

TEST_CASE("keep-alive up to a number of requests, HEAD without a body, 100-continue")
{
    http::ServerOptions options;
    options.requests_per_connection = 2;
    const auto server = start(options);
    const Connection connection{server->port()};
    connection.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    CHECK(connection.until("\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
    connection.send("hi");
    CHECK(connection.until("POST hi\n").starts_with("HTTP/1.1 200 "));
    connection.send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n");
    const auto head = connection.rest();
    CHECK(head.find("Content-Length: 6\r\n") != std::string::npos);
    CHECK(head.ends_with("\r\n\r\n"));
}

TEST_CASE(
    "OPR-47: PROXY header: the device's address from load balancers alone, octet by octet; limits count it")
{
    const auto who = [](const http::ServerRequest& request) {
        return http::ServerResponse{
            200, {}, request.peer + " " + std::to_string(request.peer_port) + "\n", false};
    };
    const auto ask = [](std::uint16_t port, std::string_view header) {
        const Connection connection{port};
        connection.send(header);
        connection.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        return connection.rest();
    };
    http::ServerOptions options;
    options.proxies = {*net::AddressRange::parse("127.0.0.0/8")};
    options.connections_per_address = 1;
    std::mutex mutex;
    std::vector<http::HandshakeFailure> told;
    options.handshake_failed = [&](const http::HandshakeFailure& failure) {
        const std::lock_guard lock{mutex};
        told.push_back(failure);
    };
    const auto server = http::Server::start(options, who);
    REQUIRE(server);
    const auto port = (*server)->port();
    CHECK(ask(port, "PROXY TCP4 192.0.2.7 127.0.0.1 4660 443\r\n").ends_with("192.0.2.7 4660\n"));
    CHECK(ask(port, "PROXY UNKNOWN\r\n").find("127.0.0.1") != std::string::npos);
    CHECK(ask(port, "").empty());
    CHECK((*server)->counts().proxy_failures == 1);

    // The load balancer that sends none is told of, and one that looks whether the port is open is not.
    {
        const Connection looks{port};
    }
    CHECK(test::comes_true([&] { return (*server)->counts().proxy_failures == 2; }));
    {
        const Connection broken{port};
        broken.send("PROXY TCP4 192.0.2.7");
    }
    CHECK(test::comes_true([&] {
        const std::lock_guard lock{mutex};
        return told.size() == 2;
    }));
    CHECK((*server)->counts().proxy_failures == 3);
    {
        const std::lock_guard lock{mutex};
        REQUIRE(told.size() == 2);
        for (const auto& failure : told) {
            CHECK(failure.address == "127.0.0.1");
            CHECK(failure.cause == http::HandshakeCause::proxy_header);
        }
        CHECK(told[0].words.starts_with("PROXY header: "));
        CHECK(told[1].words == "PROXY header: the connection ended in it");
    }

    // One that stands is of its device, not of the balancer: another device's is taken, a second one of its
    // not.
    const Connection first{port};
    first.send("PROXY TCP4 192.0.2.9 127.0.0.1 1 443\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(first.until("9 1\n").ends_with("192.0.2.9 1\n"));
    CHECK(ask(port, "PROXY TCP4 192.0.2.8 127.0.0.1 2 443\r\n").ends_with("192.0.2.8 2\n"));
    CHECK(ask(port, "PROXY TCP4 192.0.2.9 127.0.0.1 3 443\r\n").empty());

    // Where it is not expected, it is no HTTP.
    options.proxies = {*net::AddressRange::parse("192.0.2.0/24")};
    const auto direct = http::Server::start(options, who);
    REQUIRE(direct);
    CHECK(ask((*direct)->port(), "PROXY TCP4 192.0.2.7 127.0.0.1 1 443\r\n").find(" 400 ") !=
          std::string::npos);
}

TEST_CASE("SEC-16: a client over IPv4 has its IPv4 address where the server listens on all of IPv6 and IPv4")
{
    http::ServerOptions options;
    options.address = "::";
    const auto server = http::Server::start(options, [](const http::ServerRequest& request) {
        return http::ServerResponse{200, {}, request.peer + "\n", false};
    });
    if (!server) {
        MESSAGE("skipped: no IPv6 here");
        return;
    }
    CHECK(get((*server)->port()).ends_with("\r\n\r\n127.0.0.1\n"));
}

TEST_CASE("ESTS-21b: limits that are replaced go for connections to come")
{
    http::ServerOptions options;
    options.body_limit = 1024;
    const auto server = start(options);
    const Connection standing{server->port()};
    standing.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(standing.until("GET \n").ends_with("GET \n"));
    options.body_limit = 4;
    const auto use = server->prepare(options);
    REQUIRE(use);
    const Connection unchanged{server->port()};
    unchanged.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n12345");
    CHECK(unchanged.until("POST 12345\n").ends_with("POST 12345\n"));
    (*use)();
    standing.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n12345");
    CHECK(standing.until("POST 12345\n").ends_with("POST 12345\n"));
    const Connection next{server->port()};
    next.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n12345");
    CHECK(next.until("\r\n").find(" 413 ") != std::string::npos);
    options.certificate_file = "/nowhere/ra.pem";
    CHECK_FALSE(server->prepare(options).has_value());
    CHECK(get(server->port()).find(" 200 ") != std::string::npos);
}

TEST_CASE("ESTS-21b: a request that drips is cut off, and connections are limited")
{
    http::ServerOptions options;
    options.request_timeout = 1s;
    {
        const auto hasty = start(options);
        const Connection slow{hasty->port()};
        slow.send("GET / HTTP/1.1\r\nHos");
        CHECK(slow.rest().empty()); // closed at the deadline
    }
    options.request_timeout = 1h;
    options.connections_per_address = 1;
    const auto server = start(options);
    {
        const Connection slow{server->port()};
        slow.send("GET / HTTP/1.1\r\nHos");
        while (server->counts().open == 0)
            std::this_thread::yield();
        CHECK(get(server->port()).empty()); // the second of this address
    }
    while (server->counts().open > 0)
        std::this_thread::yield();
    CHECK(get(server->port()).starts_with("HTTP/1.1 200 "));
    CHECK(server->counts().turned_away == 1);
}

TEST_CASE("What is done for an answer runs on the thread of its connection, and not after the server's end")
{
    std::mutex mutex;
    std::condition_variable there;
    std::function<void(int)> waiting;
    std::thread::id served_on;
    std::thread::id answered_on;
    bool ran_late = false;
    auto server = http::Server::start(
        http::ServerOptions{},
        http::Server::AsyncHandler{[&](const http::ServerRequest& request, http::Responder respond) {
            const std::lock_guard lock{mutex};
            served_on = std::this_thread::get_id();
            const bool late = request.target == "/late";
            std::function<void(int)> callback = [&, late, respond = std::move(respond)](int status) {
                ran_late = late;
                answered_on = std::this_thread::get_id();
                respond({status, {}, {}, false});
            };
            waiting = http::on_thread_of(request, std::move(callback));
            there.notify_one();
        }});
    REQUIRE(server);
    const auto wait = [&] {
        std::unique_lock lock{mutex};
        there.wait(lock, [&] { return static_cast<bool>(waiting); });
        return std::exchange(waiting, {});
    };
    std::thread answerer{[&] { wait()(204); }};
    CHECK(get((*server)->port()).starts_with("HTTP/1.1 204"));
    answerer.join();
    CHECK(answered_on == served_on);
    CHECK(answered_on != std::this_thread::get_id());

    const Connection connection{(*server)->port()};
    connection.send("GET /late HTTP/1.1\r\nHost: x\r\n\r\n");
    const auto callback = wait();
    server->reset();
    callback(204);
    CHECK_FALSE(ran_late);
}

TEST_CASE("SEC-22, ESTS-27a, ESTS-27c: a request whose end a proxy may see elsewhere is answered 400, and "
          "nothing after "
          "it is read")
{
    std::atomic<int> requests{0};
    auto server = http::Server::start(http::ServerOptions{}, [&](const http::ServerRequest&) {
        ++requests;
        return http::ServerResponse{};
    });
    REQUIRE(server);
    const std::string next = "GET /smuggled HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    for (const std::string coding :
         {"xchunked", "identity", "gzip", "gzip, chunked", "chunked, identity", "identity, chunked",
          "\"chunked\"", "chunked;q=1", "chunked\r\nTransfer-Encoding: identity",
          "chunked\r\nTransfer-Encoding: chunked", "chunked\r\nContent-Length: 5", ""}) {
        CAPTURE(coding);
        const Connection connection{(*server)->port()};
        connection.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: " + coding + "\r\n\r\n0\r\n\r\n" +
                        next);
        const auto answer = connection.rest();
        CHECK(answer.starts_with("HTTP/1.1 400"));
        CHECK(answer.find("Connection: close") != std::string::npos);
        CHECK(answer.find("HTTP/1.1 2") == std::string::npos);
    }
    for (const std::string head :
         {"GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n",
          "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n"}) {
        CAPTURE(head);
        const Connection connection{(*server)->port()};
        connection.send(head + "\r\n0\r\n\r\n");
        CHECK(connection.rest().starts_with("HTTP/1.1 400"));
    }
    CHECK(requests == 0);
}

TEST_CASE("ESTS-27b: absolute-form, an empty line before the request, HTTP/1.0 with and without keep-alive")
{
    auto server = http::Server::start(http::ServerOptions{}, [](const http::ServerRequest& request) {
        return http::ServerResponse{200, {}, request.target + "\n", false};
    });
    REQUIRE(server);
    const auto port = (*server)->port();
    const auto target_of = [port](const std::string& target) {
        const Connection connection{port};
        connection.send("GET " + target + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        const auto answer = connection.rest();
        return answer.substr(answer.find("\r\n\r\n") + 4);
    };
    CHECK(target_of("https://relay.example:8443/.well-known/est/cacerts?a=b") ==
          "/.well-known/est/cacerts?a=b\n");
    CHECK(target_of("HTTP://relay.example") == "/\n");
    CHECK(target_of("http://relay.example?a") == "/?a\n");
    CHECK(target_of("/http://relay.example/a") == "/http://relay.example/a\n");

    const Connection connection{port};
    connection.send("\r\nGET /one HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    const auto head = connection.until("\r\n\r\n");
    CHECK(head.find("200") != std::string::npos);
    CHECK(head.find("Connection: keep-alive") != std::string::npos);
    connection.until("/one\n");
    connection.send("\r\nGET /two HTTP/1.0\r\n\r\n");
    CHECK(connection.rest().find("/two") != std::string::npos); // and the server closes
}

TEST_CASE("drain() returns when the last request under way is answered, or after its limit")
{
    std::promise<http::Responder> asked;
    auto server = http::Server::start({}, http::Server::AsyncHandler{[&](const auto&, auto respond) {
                                          asked.set_value(std::move(respond));
                                      }});
    REQUIRE(server);
    const Connection connection{(*server)->port()};
    connection.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    const auto respond = asked.get_future().get();
    const auto begun = std::chrono::steady_clock::now();
    std::thread later{[&] {
        std::this_thread::sleep_for(20ms);
        respond({200, {}, "late", false});
    }};
    (*server)->drain(10min);
    CHECK(connection.rest().ends_with("late"));
    later.join();
    CHECK(std::chrono::steady_clock::now() - begun < 5min);

    std::promise<http::Responder> held;
    auto other = http::Server::start(
        {}, http::Server::AsyncHandler{[&](const auto&, auto answer) { held.set_value(std::move(answer)); }});
    REQUIRE(other);
    const Connection waiting{(*other)->port()};
    waiting.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    const auto kept = held.get_future().get();
    (*other)->drain(0s);
    CHECK(std::chrono::steady_clock::now() - begun < 5min);
}
