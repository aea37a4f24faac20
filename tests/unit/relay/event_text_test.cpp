#include <doctest/doctest.h>

#include <set>

#include <nlohmann/json.hpp>

#include "access/sessions.h"
#include "base/cause.h"
#include "base/error.h"
#include "enrol/registration_authority.h"
#include "http/handshake_failure.h"
#include "registrar/decision.h"
#include "relay/event_row.h"
#include "relay/event_text.h"

using namespace acmetool;
using base::Json;

namespace
{

/// Each number of an enumeration, up to its last.
template <class Enum>
std::vector<Enum> all_to(Enum last)
{
    std::vector<Enum> all;
    for (int i = 0; i <= static_cast<int>(last); ++i)
        all.push_back(static_cast<Enum>(i));
    return all;
}

std::string advice(Json event)
{
    event["level"] = "warning";
    if (!event.contains("text")) event["text"] = "a sentence that nobody has written before";
    return relay::advice_for(relay::to_row(event), "est-relay");
}

Json decision(std::string_view reason, std::string_view ground = {})
{
    Json event{{"event", "decision"}, {"decision", "refused"}, {"device", "d1@ab"}, {"reason", reason}};
    if (!ground.empty()) event["ground"] = ground;
    return event;
}

const std::string kAnything = "`est-relay status` says what is wrong";

} // namespace

TEST_CASE("OPR-17: events: whatever a refusal rests on, its name says what to do, and its sentence nothing")
{
    std::set<std::string_view> names;
    for (const auto ground : all_to(enrol::kLastGround)) {
        const auto name = enrol::name_of(ground);
        CAPTURE(name);
        CHECK(enrol::ground_named(name) == ground);
        CHECK(names.insert(name).second);
        if (ground == enrol::Ground::none) continue;
        CHECK_FALSE(name.empty());
        const auto told = advice(decision(enrol::name_of(enrol::refusal_on(ground)), name));
        CHECK_FALSE(told.empty());
        CHECK(told.find('{') == std::string::npos);
        // Its own, not that of all unknown ones.
        CHECK(told != advice({{"event", "decision"}, {"decision", "refused"}, {"device", "d1@ab"}}));
        auto worded = decision(enrol::name_of(enrol::refusal_on(ground)), name);
        worded["text"] = "remembered since, is blocked, not in the inventory, this clock is at, HTTP 500";
        CHECK(advice(worded) == told);
    }
    CHECK(enrol::ground_named("of a later version") == enrol::Ground::none);
}

TEST_CASE(
    "OPR-17: events: a refusal of an earlier version, and one without a decision, has advice by its name")
{
    for (const auto refusal : all_to(enrol::kLastRefusal)) {
        const auto name = enrol::name_of(refusal);
        CAPTURE(name);
        CHECK(enrol::refusal_named(name) == refusal);
        CHECK_FALSE(advice(decision(name)).empty());
        CHECK_FALSE(advice(decision(name, "of a later version")).empty());
        CHECK(
            advice(
                {{"event", "request"}, {"decision", name}, {"status", 403}, {"client", "serialNumber=d1"}}) ==
            advice(decision(name)));
    }
    CHECK_FALSE(enrol::refusal_named("").has_value());
    CHECK_FALSE(enrol::refusal_named("other").has_value());
}

TEST_CASE(
    "OPR-17: events: each cause of a dropped packet, a failed handshake, a refused voucher, a failed order")
{
    for (const auto cause : all_to(access::Sessions::kLastDrop)) {
        const std::string name = access::Sessions::name_of(cause);
        CAPTURE(name);
        CHECK(access::Sessions::drop_named(name) == cause);
        const auto told =
            advice({{"event", "radius"}, {"decision", "drop"}, {"cause", name}, {"address", "192.0.2.1"}});
        CHECK(
            (told.find("this address") != std::string::npos || told.find("192.0.2.1") != std::string::npos));
    }
    std::set<std::string> told_of_handshakes;
    for (const auto cause : all_to(http::kLastHandshakeCause)) {
        const std::string name = http::name_of(cause);
        CAPTURE(name);
        CHECK(http::handshake_cause_named(name) == cause);
        const auto told = advice({{"event", "handshake"}, {"cause", name}, {"address", "192.0.2.1"}});
        CHECK(told.find("192.0.2.1") != std::string::npos);
        CHECK(told_of_handshakes.insert(told).second);
    }
    for (const auto cause : all_to(registrar::kLastCause)) {
        const std::string name{registrar::name_of(cause)};
        CAPTURE(name);
        CHECK(registrar::cause_named(name) == cause);
        CHECK(name.empty() == (cause == registrar::Cause::none));
        const auto told =
            advice({{"event", "brski"}, {"state", "refused"}, {"serial", "d1"}, {"cause", name}});
        CHECK_FALSE(told.empty());
        CHECK(told != kAnything);
    }
    const auto order = [](std::string_view cause) {
        return advice(
            {{"event", "order"}, {"device", "d1@ab"}, {"nextTry", "2027-01-01T00:00:00Z"}, {"cause", cause}});
    };
    for (const auto cause : all_to(Cause::validation_failed)) {
        const auto name = word_of(cause);
        CAPTURE(name);
        CHECK_FALSE(order(name).empty());
        CHECK(order(name) != kAnything);
    }
    for (const auto code : all_to(Errc::interrupted)) {
        const auto name = name_of(code);
        CAPTURE(name);
        CHECK_FALSE(order(name).empty());
    }
    CHECK(order("caa") != order("badCSR"));
    CHECK(order("of another CA") == "`est-relay explain d1` shows the order, which failed");
}

TEST_CASE(
    "OPR-17: events: each kind of event that is bad has advice, also if nobody is known to be concerned")
{
    for (const auto* kind : {"decision", "request", "radius", "handshake", "teap", "order", "authorization",
                             "store", "brski", "voucher_status", "enrollstatus", "crl", "cacerts", "issuer",
                             "relay", "events", "of a later version"}) {
        CAPTURE(kind);
        const auto told = advice({{"event", kind}});
        CHECK_FALSE(told.empty());
        CHECK(told.find(" -`") == std::string::npos);
        CHECK(told.find('{') == std::string::npos);
    }
    // What is well needs none, and a hint of the event's own counts more.
    CHECK(relay::advice_for(relay::to_row({{"event", "decision"}, {"decision", "issued"}, {"level", "info"}}),
                            "est-relay") == "");
    CHECK(advice({{"event", "store"}, {"hint", "buy a disk"}}) == "buy a disk");
}
