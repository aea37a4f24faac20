#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "relay/health.h"

using namespace acmetool;
using base::Json;
using base::TimePoint;
using std::chrono::hours;
using std::chrono::seconds;

namespace
{

const TimePoint kNoon{seconds{1'800'000'000}};

Json certificate(const char* use, TimePoint begin, TimePoint end)
{
    return {{"use", use},
            {"subject", "CN=x"},
            {"notBefore", base::to_rfc3339(begin)},
            {"notAfter", base::to_rfc3339(end)}};
}

std::vector<relay::Trouble> found_in(const Json& status)
{
    auto troubles = relay::troubles_in(status, "est-relay", kNoon);
    for (const auto& one : troubles) {
        CAPTURE(one.text);
        CHECK_FALSE(one.next.empty());
    }
    return troubles;
}

std::string first_of(const Json& status)
{
    const auto troubles = found_in(status);
    return troubles.empty() ? "" : troubles.front().text;
}

} // namespace

TEST_CASE("OPR-16: health: nothing is wrong with a relay of which nothing bad is known")
{
    CHECK(first_of(Json::object()) == "");
    CHECK(first_of({{"issuer", {{"clockOffset", 30}, {"lastSuccess", "2027-01-01T00:00:00Z"}}},
                    {"certificates", Json::array({certificate("tls", kNoon - hours{24 * 60},
                                                              kNoon + hours{24 * 30})})}}) == "");
}

TEST_CASE("OPR-16: health: the clock of the host is compared with that of the CA, in both directions")
{
    CHECK(first_of({{"issuer", {{"clockOffset", -30}}}}) == "");
    CHECK(first_of({{"issuer", {{"clockOffset", 31}}}}).find("31 s ahead of that of the CA") !=
          std::string::npos);
    CHECK(first_of({{"issuer", {{"clockOffset", -3600}}}}).find("3600 s behind that of the CA") !=
          std::string::npos);
}

TEST_CASE("OPR-24: health: of a success and a failure in one second, the last one counts")
{
    const auto told = [](const char* outcome) {
        return first_of({{"issuer",
                          {{"lastSuccess", "2027-01-01T00:00:00Z"},
                           {"lastFailure", "2027-01-01T00:00:00Z"},
                           {"lastError", "no"},
                           {"lastOutcome", outcome}}}});
    };
    CHECK(told("issued") == "");
    CHECK(told("failed") == "the last order failed at 2027-01-01T00:00:00Z: no");
    // A relay of an earlier version has only the times.
    const auto earlier = [](const char* success) {
        return first_of(
            {{"issuer",
              {{"lastSuccess", success}, {"lastFailure", "2027-01-01T00:00:00Z"}, {"lastError", "no"}}}});
    };
    CHECK(earlier("2026-12-31T00:00:00Z") == "the last order failed at 2027-01-01T00:00:00Z: no");
    CHECK(earlier("2027-01-02T00:00:00Z") == "");
}

TEST_CASE(
    "OPR-23: health: a MASA that does not answer, and the last voucher that was refused or is not taken")
{
    const auto one = [](TimePoint since) {
        return Json{{"serial", "SN-1"},
                    {"masa", "https://masa.example"},
                    {"since", base::to_rfc3339(since)},
                    {"reason", "404"}};
    };
    const auto told = [](const char* member, const Json& request) {
        return first_of({{"brski", {{"devices", Json::object()}, {member, request}}}});
    };
    CHECK(first_of({{"brski", {{"devices", Json::object()}}}}) == "");
    CHECK(told("silent", one(kNoon - hours{24 * 30}))
              .starts_with(
                  "the MASA https://masa.example does not answer, and SN-1 waits for a voucher since 20"));
    for (const auto* member : {"refused", "notTaken"}) {
        CAPTURE(member);
        CHECK(told(member, one(kNoon - hours{24 * 7})).starts_with("SN-1 "));
        CHECK(told(member, one(kNoon - hours{24 * 7} - seconds{1})) == "");
    }
}

TEST_CASE("OPR-16: health: a certificate in use that ends, has ended, or has not begun")
{
    const struct {
        const char* use;
        const char* what;
    } uses[] = {{"tls", "the relay's own certificate"},
                {"administration", "the certificate of the administration"},
                {"manufacturer", "the manufacturer's certificate CN=x"}};
    for (const auto& [use, what] : uses) {
        CAPTURE(use);
        const auto told = [&](TimePoint begin, TimePoint end) {
            return first_of({{"certificates", Json::array({certificate(use, begin, end)})}});
        };
        const std::string name{what};
        CHECK(told(kNoon - hours{24 * 300}, kNoon + relay::kEndsSoon) == "");
        CHECK(told(kNoon - hours{24 * 300}, kNoon + relay::kEndsSoon - seconds{1})
                  .starts_with(name + " ends at 20"));
        CHECK(told(kNoon - hours{24}, kNoon).starts_with(name + " expired at 20"));
        CHECK(told(kNoon + seconds{1}, kNoon + hours{24}).starts_with(name + " is not valid before 20"));
        // Six days of life: two of them are the last third.
        CHECK(told(kNoon - hours{24 * 4}, kNoon + hours{24 * 2}) == "");
        CHECK(told(kNoon - hours{24 * 4}, kNoon + hours{24 * 2} - seconds{2})
                  .starts_with(name + " ends at 20"));
    }
    const auto ca = certificate("", kNoon - hours{24}, kNoon - hours{1});
    CHECK(first_of({{"cacerts", {{"certificates", Json::array({ca})}}}})
              .starts_with("the CA certificate CN=x expired at 20"));
}

TEST_CASE("OPR-16: health: the worst is told first, and nothing hides behind it")
{
    const auto troubles =
        found_in({{"store", {{"error", "gone"}}},
                  {"certificates", Json::array({certificate("manufacturer", kNoon - hours{2}, kNoon),
                                                certificate("tls", kNoon - hours{2}, kNoon)})},
                  {"issuer",
                   {{"clockOffset", 90},
                    {"lastFailure", "2027-01-01T00:00:00Z"},
                    {"lastError", "no"},
                    {"lastOutcome", "failed"},
                    {"authorizations", {{"domain.com", {{"error", "DNS"}}}}}}},
                  {"cacerts", {{"certificates", Json::array()}, {"error", "another root"}}},
                  {"oldestPending", "2027-01-01T00:00:00Z"},
                  {"crls", Json::array({{{"source", "x.crl"}, {"error", "old"}}})},
                  {"relays", Json::array({{{"instance", "b"}, {"sameSettings", false}}})},
                  {"outputs", Json::array({{{"output", "log"}, {"stalled", true}}})},
                  {"draining", true}});
    std::vector<std::string> begins{"no decision is made: gone",
                                    "the relay's own certificate expired",
                                    "the clock of this host",
                                    "the last order failed",
                                    "domain.com cannot be authorized",
                                    "devices may get the wrong CA certificates: another root",
                                    "/cacerts has no certificate",
                                    "the manufacturer's certificate CN=x expired",
                                    "an order waits since",
                                    "the CRL x.crl: old",
                                    "the relay b has other",
                                    "nobody reads the log",
                                    "the relay is about to end"};
    REQUIRE(troubles.size() == begins.size());
    for (std::size_t i = 0; i < begins.size(); ++i) {
        CAPTURE(troubles[i].text);
        CHECK(troubles[i].text.starts_with(begins[i]));
    }
}
