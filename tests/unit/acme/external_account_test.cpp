#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "acme/external_account.h"
#include "base/base64url.h"
#include "base/bytes.h"
#include "jose/mac.h"

using namespace acmetool;

TEST_CASE("ACME-17a: the MAC of RFC 7520 section 4.4, with its header and its key")
{
    const auto key = acme::parse_mac_key(" hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg\n", "key");
    REQUIRE(key);
    const auto payload = base::parse_base64url(
        "SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGUg"
        "cm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0"
        "IGJlIHN3ZXB0IG9mZiB0by4");
    REQUIRE(payload);
    const auto text =
        jose::sign_with_mac(*key, {{"kid", "018c0ae5-4d9b-471b-bfd6-eef314bc7037"}}, as_text(*payload));
    REQUIRE(text);
    const auto jws = *base::parse_json(*text, "jws");
    CHECK(jws["protected"] ==
          "eyJhbGciOiJIUzI1NiIsImtpZCI6IjAxOGMwYWU1LTRkOWItNDcxYi1iZmQ2LWVlZjMxNGJjNzAzNyJ9");
    CHECK(jws["signature"] == "s0h6KThzkfBBBkLspW1h84VsJZFTsPPqMDA7g1Md7p0");
}

TEST_CASE("ACME-17a: MAC keys in base64url and base64; others are refused, and never shown")
{
    CHECK(acme::parse_mac_key("-_8", "key")->reveal() == "\xfb\xff");
    CHECK(acme::parse_mac_key("+/8=\r\n", "key")->reveal() == "\xfb\xff");
    for (const auto* text : {"", " \n", "not a key!", "a"}) {
        CAPTURE(text);
        const auto key = acme::parse_mac_key(text, "--eab-key-file f");
        REQUIRE_FALSE(key);
        CHECK(key.error().code == Errc::config);
        CHECK(key.error().message == "--eab-key-file f: not a MAC key");
    }
}
