#include <doctest/doctest.h>

#include "acme/persistent_record.h"
#include "dns/zone_text.h"

using namespace acmetool;

TEST_CASE("CHAL-10b: a URL that a record cannot hold is refused, quotes and backslashes are escaped")
{
    for (const auto* bad :
         {"https://ca.example/a;b", "https://ca.example/a b", "https://ca.example/a\tb",
          "https://ca.example/a\nb", "https://ca.example/\x7f", "https://ca.example/\xc3\xa4"}) {
        CAPTURE(bad);
        const auto text = acme::PersistentRecord{"ca.example", bad, false, {}}.text();
        REQUIRE_FALSE(text);
        CHECK(text.error().reason.word() == "badIssueValue");
        CHECK(text.error().message.find("accounturi") == 0);
    }
    const auto text = acme::PersistentRecord{"ca.example", R"(https://ca.example/"\)", true, {}}.text();
    REQUIRE(text);
    CHECK(*text == R"(ca.example; accounturi=https://ca.example/"\; policy=wildcard)");
    CHECK(acme::parse_persistent_record(*text)->account_uri == R"(https://ca.example/"\)");
    CHECK(dns::quoted(*text) == R"("ca.example; accounturi=https://ca.example/\"\\; policy=wildcard")");
}

TEST_CASE("CHAL-10b: strings of a TXT record end after 255 octets, escapes not counted")
{
    CHECK(dns::txt_strings("") == "\"\"");
    CHECK(dns::txt_strings("a\n\xff") == R"("a\010\255")");
    const std::string quotes(256, '"');
    std::string escaped;
    for (int i = 0; i < 255; ++i)
        escaped += "\\\"";
    CHECK(dns::txt_strings(quotes) == "\"" + escaped + R"(" "\"")");
}

TEST_CASE("CHAL-10b: a malformed dns-persist-01 record, or one that says a thing twice, is none")
{
    const std::string good = "ca.example; accounturi=https://ca.example/acct/1";
    CHECK(acme::parse_persistent_record(good + ";"));
    for (const auto* more : {"; policy", "; =x", "; -a=x", "; a=b c", "; policy=wildcard; policy=wildcard",
                             "; accounturi=https://ca.example/acct/1", "; persistUntil=1; persistuntil=2",
                             "; persistUntil=never", "; persistUntil=1e9", "; persistUntil=", ";;"})
        CHECK_FALSE(acme::parse_persistent_record(good + more));
}

TEST_CASE("FLD-A16, CHAL-13b: the draft's hashes of example.com and of any domain at ca.example")
{
    const auto uri = [](std::string_view domain) {
        // The thumbprint is that of RFC 7638 section 3.1.
        return acme::hashed_account_uri("https://ca.example/account-hash/", domain,
                                        "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
                                        "https://ca.example/acct/123");
    };
    CHECK(uri("example.com") ==
          "https://ca.example/account-hash/sha-256/5SQm7n6tPh2-PlLbCKGnViTXX5z19SCN4cPGQHSk-kw");
    CHECK(uri(acme::kAnyDomain) ==
          "https://ca.example/account-hash/sha-256/NpDnSwUthQK8zCgFdefYxAdAVPnygMLbs9US6oO-5ug");
    const auto text = acme::PersistentRecord{"authority.example", uri("example.com"), false, {}}.text();
    CHECK(*text == "authority.example; accounturi=https://ca.example/account-hash/sha-256/"
                   "5SQm7n6tPh2-PlLbCKGnViTXX5z19SCN4cPGQHSk-kw");
}
