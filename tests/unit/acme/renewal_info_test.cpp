#include <doctest/doctest.h>

#include <cstdint>
#include <limits>

#include "acme/certificate_renewal.h"
#include "acme/renewal_info.h"

using namespace acmetool;

TEST_CASE("EXT-02a: the window of RFC 9773 section 4.2, offsets and unknown members included")
{
    const auto info = acme::parse_renewal_info(
        R"({"suggestedWindow":{"start":"2025-01-02T04:00:00Z","end":"2025-01-03T05:00:00+01:00","more":1},
            "explanationURL":"https://acme.example.com/docs/ari","else":[]})");
    REQUIRE(info);
    CHECK(base::to_rfc3339(info->start) == "2025-01-02T04:00:00Z");
    CHECK(base::to_rfc3339(info->end) == "2025-01-03T04:00:00Z");
    CHECK(info->explanation_url == "https://acme.example.com/docs/ari");
}

TEST_CASE("EXT-03a: a window that ends at or before its start, and whatever is none, is no answer")
{
    for (const auto* text :
         {R"({"suggestedWindow":{"start":"2025-01-02T04:00:00Z","end":"2025-01-02T04:00:00Z"}})",
          R"({"suggestedWindow":{"start":"2025-01-03T04:00:00Z","end":"2025-01-02T04:00:00Z"}})",
          R"({"suggestedWindow":{"start":"2025-01-03T04:00:00Z"}})",
          R"({"suggestedWindow":{"start":1,"end":2}})", R"({"suggestedWindow":[]})", "{}", "[]", "", "{"}) {
        CAPTURE(text);
        const auto info = acme::parse_renewal_info(text);
        REQUIRE_FALSE(info);
        CHECK(info.error().code == Errc::protocol);
        CHECK(info.error().reason.word() == "badRenewalInfo");
    }
    const auto odd_url = acme::parse_renewal_info(
        R"({"suggestedWindow":{"start":"2025-01-02T04:00:00Z","end":"2025-01-03T04:00:00Z"},"explanationURL":"javascript:x"})");
    REQUIRE(odd_url);
    CHECK(odd_url->explanation_url.empty());
}

TEST_CASE("EXT-03b: the moment lies in the window, wherever chance puts it")
{
    const acme::RenewalInfo info{
        *base::parse_rfc3339("2025-01-02T00:00:00Z"), *base::parse_rfc3339("2025-01-06T00:00:00Z"), {}};
    constexpr auto kLast = std::numeric_limits<std::uint32_t>::max();
    CHECK(acme::moment_in(info, 0) == info.start);
    CHECK(acme::moment_in(info, kLast) < info.end);
    CHECK(acme::moment_in(info, kLast) > info.end - std::chrono::minutes{1});
    CHECK(base::to_rfc3339(acme::moment_in(info, 1U << 31U)) == "2025-01-04T00:00:00Z");
}

TEST_CASE("metrics have a line for each file, with quotes and line ends in its name made safe")
{
    acme::CertificateRenewal renewal;
    renewal.file = "a\"b\\c\nd";
    renewal.not_after = *base::parse_rfc3339("1970-01-01T00:01:00Z");
    const auto text = acme::metrics_of({renewal});
    CHECK(text.find("acme_certificate_expires_timestamp_seconds{file=\"a\\\"b\\\\c?d\"} 60\n") !=
          std::string::npos);
    CHECK(text.find("acme_last_success_timestamp_seconds{") == std::string::npos);
}

TEST_CASE("FLD-A6: the time of the last success can be read back from the metrics")
{
    acme::CertificateRenewal renewal;
    renewal.file = "a\"b\\c\nd";
    CHECK_FALSE(acme::last_success_in(acme::metrics_of({renewal}), renewal.file));
    renewal.last_success = *base::parse_rfc3339("2026-01-02T03:04:05Z");
    const auto text = acme::metrics_of({renewal});
    CHECK(acme::last_success_in(text, renewal.file) == renewal.last_success);
    CHECK_FALSE(acme::last_success_in(text, "a"));
    CHECK_FALSE(acme::last_success_in("acme_last_success_timestamp_seconds{file=\"a\"} 1e9\n", "a"));
}
