#include <atomic>
#include <future>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "relay/event_delivery.h"

using namespace acmetool;
using namespace std::chrono_literals;
using relay::EventMessage;
using relay::EventReceiver;

TEST_CASE("OPR-38: webhook: the signature is that of the example of Standard Webhooks")
{
    const EventMessage message{"msg_p5jXN8AQM9LWM0D4loKWxJek", "{\"test\": 2432232314}"};
    const base::TimePoint now{1614265330s};
    const auto headers =
        relay::webhook_headers(message, base::Secret{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, now);
    REQUIRE(headers);
    CHECK(*headers == std::vector<std::pair<std::string, std::string>>{
                          {"webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"},
                          {"webhook-timestamp", "1614265330"},
                          {"webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="}});
    // A key that is not base64 is taken as it is, and is another key.
    const auto plain = relay::webhook_headers(message, base::Secret{"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, now);
    REQUIRE(plain);
    CHECK(plain->at(2) != headers->at(2));
    CHECK_FALSE(relay::webhook_headers(message, base::Secret{"whsec_%"}, now));
}

TEST_CASE("OPR-38: events are chosen by type and level")
{
    relay::EventOptions options; // its default
    const auto event = [](const char* kind, const char* level) {
        return base::Json{{"event", kind}, {"level", level}};
    };
    CHECK(relay::is_chosen(event("order", "warning"), options));
    CHECK(relay::is_chosen(event("store", "error"), options));
    CHECK_FALSE(relay::is_chosen(event("order", "info"), options));
    CHECK_FALSE(relay::is_chosen(event("decision", "error"), options));
    options.on = {"decision"};
    options.level = "info";
    CHECK(relay::is_chosen(event("decision", "info"), options));
    CHECK(relay::is_chosen({{"event", "decision"}}, options)); // without a level: info
    options.level = "error";
    CHECK_FALSE(relay::is_chosen(event("decision", "warning"), options));
}

TEST_CASE("OPR-38: a receiver that fails gets the same event again, before the next one")
{
    std::atomic<int> left{3};
    std::promise<void> all;
    std::vector<std::string> seen; // of the receiver's thread, until all are there
    std::vector<std::string> complaints;
    {
        EventReceiver receiver{"told",
                               [&](const EventMessage& message, base::Context&) -> Result<void> {
                                   seen.push_back(message.id + message.body);
                                   if (left-- > 0) return fail(Errc::unavailable, "not now");
                                   if (message.body == "second") all.set_value();
                                   return {};
                               },
                               [&](const std::string& text) { complaints.push_back(text); },
                               {.first_pause = 1ms, .longest_pause = 2ms}};
        receiver.offer({"1", "first"});
        receiver.offer({"2", "second"});
        all.get_future().wait();
        receiver.stop();
        CHECK(receiver.counts().failed == 3);
        CHECK(receiver.counts().dropped == 0);
    }
    CHECK(seen == std::vector<std::string>{"1first", "1first", "1first", "1first", "2second"});
    CHECK(complaints == std::vector<std::string>{"told: not now; it is tried again"});
}

TEST_CASE("OPR-38: a receiver's queue is bounded, its patience ends, and what waits can be taken over")
{
    std::promise<void> begun;
    std::promise<void> go;
    std::shared_future<void> gone{go.get_future()};
    std::atomic<bool> is_first{true};
    EventReceiver receiver{"told",
                           [&](const EventMessage&, base::Context&) -> Result<void> {
                               if (is_first.exchange(false)) begun.set_value();
                               gone.wait();
                               return {};
                           },
                           [](const std::string&) {},
                           {.queue = 3}};
    for (const auto* id : {"1", "2", "3", "4", "5"})
        receiver.offer({id, ""});
    begun.get_future().wait();
    CHECK(receiver.counts().dropped == 2);
    auto left = std::async(std::launch::async, [&] { return receiver.stop(); });
    go.set_value();
    const auto waiting = left.get();
    CHECK(waiting.size() + receiver.counts().delivered == 3);

    std::promise<void> dropped;
    EventReceiver impatient{
        "told",
        [](const EventMessage&, base::Context&) -> Result<void> { return fail(Errc::unavailable, "no"); },
        [&](const std::string& text) {
            if (text == "told: an event was not delivered: no") dropped.set_value();
        },
        {.first_pause = 1ms, .longest_pause = 1ms, .patience = 0ms}};
    impatient.offer({"1", ""});
    dropped.get_future().wait();
    impatient.stop();
    CHECK(impatient.counts().dropped == 1);
}
