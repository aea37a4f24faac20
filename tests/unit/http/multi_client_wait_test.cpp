#include "http/multi_client_wait.h"

#include <functional>
#include <future>
#include <string>

#include <doctest/doctest.h>

#include "http/server.h"

using namespace acmetool;
using namespace std::chrono_literals;
using base::Worker;

namespace
{

/// Answers with the request's target, or never to "/never".
struct EchoServer {
    EchoServer()
    {
        auto started =
            http::Server::start({}, http::Server::AsyncHandler{[this](const auto& request, auto respond) {
                                    if (request.target == "/never") {
                                        held = std::move(respond);
                                        asked.set_value();
                                    } else {
                                        respond({200, {}, request.target, false});
                                    }
                                }});
        REQUIRE(started);
        server = std::move(*started);
    }
    http::Request request(const std::string& target) const
    {
        return {http::Method::get, "http://127.0.0.1:" + std::to_string(server->port()) + target, {}, {}};
    }
    http::Responder held;
    std::promise<void> asked; ///< for "/never"
    std::unique_ptr<http::Server> server;
};

std::unique_ptr<http::MultiClient> make_client()
{
    http::ClientOptions options;
    options.allow_plain_http = true;
    return std::make_unique<http::MultiClient>(**http::curl_library(), options, 4);
}

/// A worker with a client, and the client.
struct Sender {
    Sender()
    {
        auto own = std::make_unique<http::MultiClientWait>();
        wait = own.get();
        client = &wait->add(make_client());
        worker = std::make_unique<Worker>("test", std::move(own));
    }
    http::MultiClientWait* wait;
    http::MultiClient* client;
    std::unique_ptr<Worker> worker;
};

} // namespace

TEST_CASE(
    "Requests are sent between a worker's tasks, also while tasks keep coming, and answered on its thread")
{
    EchoServer server;
    Sender sender;
    std::promise<std::string> answer;
    std::function<void()> busy = [&] { sender.worker->post(busy); };
    bool here = false;
    sender.worker->post([&] {
        busy();
        sender.client->send(server.request("/a"), [&](const Result<http::Response>& reply) {
            here = sender.worker->is_here();
            answer.set_value(reply ? reply->body : reply.error().message);
        });
    });
    CHECK(answer.get_future().get() == "/a");
    CHECK(here);
    sender.worker->post([&] { busy = [] {}; });
    sender.worker->stop();
}

TEST_CASE("Tasks and timers run while a request waits for its answer, which stop() does not wait for")
{
    EchoServer server;
    Sender sender;
    std::promise<void> ran;
    std::promise<void> fired;
    auto forgotten = std::make_shared<int>(0);
    sender.worker->post([&, forgotten] {
        sender.client->send(server.request("/never"),
                            [forgotten](const Result<http::Response>&) { ++*forgotten; });
    });
    server.asked.get_future().wait();
    const auto began = Worker::Clock::now();
    sender.worker->post([&] { ran.set_value(); });
    ran.get_future().wait();
    sender.worker->at(Worker::Clock::now() + 10ms, [&] { fired.set_value(); });
    fired.get_future().wait();
    sender.worker->stop();
    CHECK(Worker::Clock::now() - began < 40s); // the answer would be waited for a minute
    CHECK(*forgotten == 0);
    CHECK(forgotten.use_count() == 1); // its callback is destroyed
}

TEST_CASE("Another client takes the place of the old one, whose requests are forgotten")
{
    EchoServer server;
    Sender sender;
    auto forgotten = std::make_shared<int>(0);
    sender.worker->post([&, forgotten] {
        sender.client->send(server.request("/never"),
                            [forgotten](const Result<http::Response>&) { ++*forgotten; });
    });
    server.asked.get_future().wait();
    std::promise<std::string> answer;
    long left = 0;
    sender.worker->post([&] {
        sender.wait->remove(*sender.client);
        sender.client = &sender.wait->add(make_client());
        left = forgotten.use_count();
        sender.client->send(server.request("/b"), [&](const Result<http::Response>& reply) {
            answer.set_value(reply ? reply->body : reply.error().message);
        });
    });
    CHECK(answer.get_future().get() == "/b");
    CHECK(left == 1);
    CHECK(*forgotten == 0);
}

TEST_CASE("Several clients share a worker: a request of one that is not answered holds up no other's")
{
    EchoServer server;
    Sender sender;
    std::promise<std::string> answers[2];
    sender.worker->post(
        [&] { sender.client->send(server.request("/never"), [](const Result<http::Response>&) {}); });
    server.asked.get_future().wait();
    http::MultiClient* second = nullptr;
    for (auto& answer : answers) {
        sender.worker->post([&] {
            if (second == nullptr) second = &sender.wait->add(make_client());
            second->send(server.request("/b"), [&](const Result<http::Response>& reply) {
                answer.set_value(reply ? reply->body : reply.error().message);
            });
        });
        CHECK(answer.get_future().get() == "/b");
    }
}

TEST_CASE("What the callback of a request posts to its own worker runs at once, also if the request failed "
          "before it was sent")
{
    EchoServer server;
    Sender sender;
    for (const auto& url : {server.request("/a").url, std::string{"ftp://127.0.0.1/"}}) {
        CAPTURE(url);
        std::promise<void> ran;
        sender.worker->post([&] {
            sender.client->send({http::Method::get, url, {}, {}}, [&](const Result<http::Response>&) {
                sender.worker->post([&] { ran.set_value(); });
            });
        });
        CHECK(ran.get_future().wait_for(60s) == std::future_status::ready);
    }
}

TEST_CASE("A request that takes too long ends although nothing comes")
{
    EchoServer server;
    http::ClientOptions options;
    options.allow_plain_http = true;
    options.request_timeout = base::Milliseconds{200};
    Sender sender;
    std::promise<bool> failed;
    sender.worker->post([&] {
        sender.wait->add(std::make_unique<http::MultiClient>(**http::curl_library(), options, 4))
            .send(server.request("/never"),
                  [&](const Result<http::Response>& reply) { failed.set_value(!reply); });
    });
    CHECK(failed.get_future().get());
}
