#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "relay/recent.h"

using namespace acmetool;
using relay::Histogram;
using relay::Recent;

namespace
{

constexpr base::TimePoint kNow{std::chrono::seconds{1'000'000}};

base::Message message_of(const std::string& request, const std::string& device = {})
{
    base::Message message;
    message.from = "client";
    message.to = "ra";
    message.label = "POST /simpleenroll";
    message.request_id = request;
    message.device = device;
    return message;
}

base::Json refused_event(const std::string& device, const std::string& request)
{
    return {{"event", "decision"}, {"decision", "refused"}, {"reason", "forbidden"},
            {"device", device},    {"request_id", request}, {"text", "not in the inventory"}};
}

} // namespace

TEST_CASE("OPR-32: recent: the messages of a request, and of the others of its device")
{
    Recent recent;
    recent.message(message_of("a", "CN=1 serial 1"), kNow);
    recent.message(message_of("b", "CN=2 serial 2"), kNow);
    recent.message(message_of("c", "CN=1 serial 1"), kNow);
    recent.message(message_of(""), kNow);
    CHECK(recent.trace_of("a").entries.size() == 2);
    CHECK(recent.trace_of("b").entries.size() == 1);
    CHECK(recent.trace_of("d").entries.empty());
    CHECK(recent.trace_of("").entries.empty());
    // What is remembered is bounded.
    for (int i = 0; i < 2000; ++i)
        recent.message(message_of("x"), kNow);
    CHECK(recent.trace_of("a").entries.empty());
    CHECK(recent.trace_of("x").entries.size() == 2000);
}

TEST_CASE("OPR-30: recent: refusals by cause, the newest first")
{
    Recent recent;
    recent.event({{"event", "decision"}, {"decision", "issued"}}, kNow);
    recent.event({{"event", "store"}, {"level", "error"}}, kNow);
    recent.event({{"event", "teap"}, {"decision", "accept"}}, kNow);
    CHECK(recent.refusals().empty());
    recent.event(refused_event("d1@x", "a"), kNow);
    recent.event({{"event", "brski"}, {"level", "warning"}, {"serial", "d2"}, {"text", "no"}}, kNow);
    recent.event({{"event", "radius"}, {"decision", "drop"}, {"address", "192.0.2.1"}, {"times", 7U}}, kNow);
    recent.event({{"event", "teap"}, {"decision", "reject"}, {"request_id", "a"}}, kNow); // told already
    recent.event({{"event", "teap"}, {"decision", "reject"}, {"request_id", "b"}, {"identity", "d3"}}, kNow);
    const auto refusals = recent.refusals();
    REQUIRE(refusals.size() == 4);
    CHECK(refusals[0].cause == "teap");
    CHECK(refusals[0].who == "d3");
    CHECK(refusals[0].device.empty());
    CHECK(refusals[1].who == "192.0.2.1");
    CHECK(refusals[2].device == "d2");
    CHECK(refusals[3].device == "d1@x");
    CHECK(recent.refused() ==
          std::map<std::string, std::uint64_t>{{"forbidden", 1}, {"radius", 7}, {"teap", 1}, {"voucher", 1}});
    CHECK(recent.refused_request_of("d1@x") == "a");
    CHECK(recent.refused_request_of("d9@x").empty());
    for (int i = 0; i < 600; ++i)
        recent.event(refused_event("d", "r"), kNow);
    CHECK(recent.refusals().size() == 500);
    CHECK(recent.refused().at("forbidden") == 601);
}

TEST_CASE("OPR-35: recent: how long answers took, by operation and outcome")
{
    Recent recent;
    est::RequestEvent event;
    event.operation = "simpleenroll";
    event.status = 200;
    event.decision = "issued";
    event.took = std::chrono::milliseconds{5};
    recent.request(event);
    event.took = std::chrono::seconds{11};
    recent.request(event);
    event.status = 403;
    event.decision = "forbidden";
    recent.request(event);
    event.status = 502;
    event.decision = "internalCAError";
    recent.request(event);
    event = {};
    event.status = 404;
    recent.request(event);
    const auto latencies = recent.latencies();
    CHECK(latencies.size() == 4);
    const auto& issued = latencies.at({"simpleenroll", "issued"});
    CHECK(issued.counts.front() == 1); // a bound is part of its bucket
    CHECK(issued.counts.back() == 1);
    CHECK(issued.sum == doctest::Approx(11.005));
    CHECK(latencies.contains({"simpleenroll", "refused"}));
    CHECK(latencies.contains({"simpleenroll", "failed"}));
    CHECK(latencies.contains({"other", "refused"}));
    CHECK(recent.requests().at({"simpleenroll", 200}) == 2);
}
