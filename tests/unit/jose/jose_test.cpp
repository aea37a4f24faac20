#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "base/base64url.h"
#include "base/json.h"
#include "jose/jwk.h"
#include "jose/jws.h"

#include "../crypto/large_key.h"

using namespace acmetool;
using base::Json;

TEST_CASE("ACME-25b, ACME-25d: the thumbprint of RFC 7638 section 3.1")
{
    const Json jwk{{"kty", "RSA"},
                   {"n", "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6t"
                         "Soc_BJECPebWKRXjBZCiFV4n3oknjhMs"
                         "tn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_"
                         "FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5"
                         "hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_"
                         "xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKg"
                         "w"},
                   {"e", "AQAB"}};
    const auto key = jose::parse_jwk(jwk);
    REQUIRE(key);
    CHECK(*jose::thumbprint(*key) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
}

TEST_CASE("ACME-25c: coordinates keep their leading zeros")
{
    // One key in 128 has such a coordinate; openssl made this one.
    const auto key = crypto::parse_private_key(R"(-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQggAvcQlv3vP3CfKt1
NrzzXaTLGYEkJ4R4HSRVuvEW9qqhRANCAAQAQa+HorpvkcnXPHCcmfz81w1Cc2bz
z8VKJ0e6SSP/gULOkbmVIjJJM5b5QBcZzJKMSqaPfmkbXibWMEB84GmD
-----END PRIVATE KEY-----
)",
                                               "test");
    REQUIRE(key);
    const auto jwk = *jose::to_jwk(*key);
    const auto x = base::parse_base64url(jwk["x"].get<std::string>());
    REQUIRE(x);
    CHECK(x->size() == 32);
    CHECK(x->front() == 0);
    CHECK(jose::parse_jwk(jwk)->same_public_key(*key));
}

TEST_CASE("ACME-06c, ACME-07a, ACME-07b: signatures of every key type verify, and only over what was signed")
{
    for (const auto& [type, algorithm] : {std::pair{"ec:P-256", "ES256"},
                                          {"ec:P-384", "ES384"},
                                          {"ec:P-521", "ES512"},
                                          {"rsa:2048", "RS256"},
                                          {"ed25519", "EdDSA"}}) {
        CAPTURE(type);
        const auto key = *crypto::generate_key(type);
        const auto text = *jose::sign(key, {{"nonce", "n"}, {"url", "https://ca.example/x"}}, "{}");
        auto jws = jose::parse_jws(text);
        REQUIRE(jws);
        CHECK((*jws->header)["alg"] == algorithm);
        CHECK(jose::verify(*jws, key));
        CHECK_FALSE(jose::verify(*jws, *crypto::generate_key(type)));
        jws->signing_input += "x";
        CHECK_FALSE(jose::verify(*jws, key));
    }
}

TEST_CASE("ACME-07b: the ES256 signature of RFC 7515 appendix A.3 verifies")
{
    const auto key = jose::parse_jwk(Json{{"kty", "EC"},
                                          {"crv", "P-256"},
                                          {"x", "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"},
                                          {"y", "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}});
    REQUIRE(key);
    const Json jws{
        {"protected", "eyJhbGciOiJFUzI1NiJ9"},
        {"payload",
         "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"},
        {"signature",
         "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"}};
    CHECK(jose::verify(*jose::parse_jws(jws.dump()), *key));
}

TEST_CASE("ACME-05a, ACME-05b, ACME-09: a JWS is flattened and has no more than it should; POST-as-GET has "
          "an empty payload")
{
    const auto key = *crypto::generate_key("ec:P-256");
    const auto good = *base::parse_json(*jose::sign(key, {{"url", "u"}}, ""), "jws");
    CHECK(good["payload"] == "");
    CHECK(jose::parse_jws(good.dump())->payload.empty());
    for (const auto* member : {"header", "signatures", "other"}) {
        Json more = good;
        more[member] = Json::object();
        CHECK_FALSE(jose::parse_jws(more.dump()));
    }
    Json unencoded = good;
    unencoded["protected"] = base::to_base64url(as_bytes(R"({"alg":"ES256","b64":false})"));
    CHECK_FALSE(jose::parse_jws(unencoded.dump()));
    Json padded = good;
    padded["signature"] = good["signature"].get<std::string>() + "=";
    CHECK_FALSE(jose::parse_jws(padded.dump()));
}

TEST_CASE("SEC-17: RSA keys of strangers have 2048 to 4096 bits, and cost nothing to read")
{
    CHECK(jose::parse_jwk(*jose::to_jwk(test::public_rsa(2048))).has_value());
    CHECK(jose::parse_jwk(*jose::to_jwk(test::public_rsa(4096))).has_value());
    for (const auto& key :
         {test::public_rsa(1024), test::public_rsa(4104), test::public_rsa(8192), test::public_rsa(2048, 72)})
        CHECK_FALSE(jose::parse_jwk(*jose::to_jwk(key)));
    auto even = *jose::to_jwk(test::public_rsa(2048));
    even["e"] = "AQAA";
    CHECK_FALSE(jose::parse_jwk(even));

    const auto signer = *crypto::generate_key("rsa:2048");
    auto jws = *jose::parse_jws(*jose::sign(signer, {{"url", "u"}}, "{}"));
    CHECK(jose::verify(jws, signer).has_value());
    CHECK(jose::verify(jws, test::public_rsa(16384)).error().reason.word() == "keyTooLarge");
}

TEST_CASE("a JWK that is no public key is refused")
{
    const auto jwk = *jose::to_jwk(*crypto::generate_key("ec:P-256"));
    Json off_curve = jwk;
    off_curve["y"] = jwk["x"];
    CHECK_FALSE(jose::parse_jwk(off_curve));
    Json with_private = jwk;
    with_private["d"] = "AA";
    CHECK_FALSE(jose::parse_jwk(with_private));
    Json short_x = jwk;
    short_x["x"] = "AAAA";
    CHECK_FALSE(jose::parse_jwk(short_x));
    CHECK_FALSE(jose::parse_jwk(Json{{"kty", "oct"}, {"k", "AA"}}));
}
