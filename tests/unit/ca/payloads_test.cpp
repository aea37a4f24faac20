#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "acme/persistent_record.h"
#include "ca/nonces.h"
#include "ca/payloads.h"
#include "ca/validation.h"

using namespace acmetool;

TEST_CASE("CA: dns-persist-01 records, read as issue-values")
{
    const std::vector<std::string> issuers{"authority.example", "ca.example.net"};
    const std::string account = "https://ca.test/account/1";
    const base::TimePoint now{std::chrono::seconds{1'700'000'000}};
    const auto holds = [&](const std::string& record, bool wide = false) {
        const auto verdict = acme::judge_persistent_record(record, issuers, {account}, wide, now);
        return verdict && verdict->granted;
    };
    CHECK(holds("authority.example; accounturi=https://ca.test/account/1"));
    CHECK(holds(" CA.Example.NET;accounturi=https://ca.test/account/1; unknown=x; policy=other"));
    CHECK_FALSE(holds("other.example; accounturi=https://ca.test/account/1"));
    CHECK_FALSE(holds("authority.example; accounturi=https://ca.test/account/2"));
    CHECK_FALSE(holds("authority.example"));
    CHECK_FALSE(holds("authority.example; accounturi=https://ca.test/account/1", true));
    CHECK(holds("authority.example; accounturi=https://ca.test/account/1; Policy=Wildcard", true));
    CHECK(holds("authority.example; accounturi=https://ca.test/account/1; persistUntil=1700000000"));
    CHECK_FALSE(holds("authority.example; accounturi=https://ca.test/account/1; persistUntil=1699999999"));
    CHECK_FALSE(holds("authority.example; accounturi=https://ca.test/account/1; persistUntil=never"));
}

TEST_CASE("a nonce is good once, and the list of those given out does not grow with use")
{
    ca::Nonces nonces;
    const auto first = nonces.make();
    CHECK(nonces.use(first, {}));
    CHECK_FALSE(nonces.use(first, {}));
    CHECK_FALSE(nonces.use("never", {}));
    const auto kept = nonces.make();
    for (int i = 0; i < 30'000; ++i)
        CHECK(nonces.use(nonces.make(), {}));
    CHECK(nonces.use(kept, {}));
}

TEST_CASE("CA: a certificate that is no proof for tls-alpn-01 says what is wrong")
{
    CHECK(ca::check_acme_identifier({}, "a.example.com", Bytes(32, 1)) == "the certificate cannot be read");
}
