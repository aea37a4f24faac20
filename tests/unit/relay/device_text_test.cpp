#include <algorithm>
#include <chrono>

#include <doctest/doctest.h>

#include "relay/device_report.h"

using namespace acmetool;
using namespace std::chrono_literals;

TEST_CASE("OPR-02, OPR-13: a refusal is not the device's last word where an order follows in the same second")
{
    const base::TimePoint noon{std::chrono::seconds{1795478400}};
    const auto decision = [&](std::chrono::milliseconds at, const char* outcome) {
        ra::Event event;
        event.at = noon + at;
        event.what = "decision";
        event.outcome = outcome;
        event.device = "d1@ab";
        event.text = "not in the inventory";
        return event;
    };
    relay::DeviceReport report;
    report.device = {"d1@ab", "d1"};
    report.listing = relay::Listing::listed;
    report.orders.emplace_back();
    report.orders.front().created = noon; // of the second, which is all that an order knows
    const auto tells_refusal = [&] {
        const auto next = relay::next_of(report, "d1", "est-relay", noon + 1s);
        return std::any_of(next.begin(), next.end(), [](const std::string& sentence) {
            return sentence.starts_with("the last request of the device was refused at ");
        });
    };
    report.events = {decision(700ms, "pending"), decision(200ms, "refused")};
    CHECK_FALSE(tells_refusal());
    report.events = {decision(900ms, "refused"), decision(700ms, "pending")};
    CHECK(tells_refusal());
    report.events = {decision(-1ms, "refused")};
    CHECK_FALSE(tells_refusal());
}
