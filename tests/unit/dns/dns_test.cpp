#include <doctest/doctest.h>

#include "ca/validation.h"
#include "dns/name.h"
#include "dns/query.h"
#include "dns/tsig.h"
#include "net/endpoint.h"

using namespace acmetool;

TEST_CASE("PRE-09a, PRE-09b, PRE-09c: domains are compared by whole labels")
{
    CHECK(dns::is_subdomain_of("nnn.mmm.example.com", "example.com"));
    CHECK(dns::is_subdomain_of("A.Example.COM.", "example.com"));
    CHECK_FALSE(dns::is_subdomain_of("ooo.example.com", "oo.example.com"));
    CHECK_FALSE(dns::is_subdomain_of("example.com", "example.com"));
    CHECK_FALSE(dns::is_subdomain_of("example.com", "a.example.com"));
    CHECK_FALSE(dns::is_subdomain_of(".example.com", "example.com"));
    CHECK_FALSE(dns::is_subdomain_of("example.com", ""));
}

TEST_CASE("CHAL-01a: the validation name has no wildcard label")
{
    CHECK(dns::validation_name("*.example.com") == "_acme-challenge.example.com");
    CHECK(dns::validation_name("example.com.") == "_acme-challenge.example.com");
}

TEST_CASE("CSR-03a, CSR-03c, CSR-04a: names are normalised or refused with their cause")
{
    CHECK(*dns::normalize_name("Sub.Example.COM.") == "sub.example.com");
    CHECK(*dns::normalize_name("b\xc3\xbc"
                               "cher.example") == "xn--bcher-kva.example");
    CHECK(*dns::normalize_name("*.example.com", {.allow_wildcard = true}) == "*.example.com");
    CHECK(dns::normalize_name(std::string(250, 'a') + ".b.c").error().reason.word() == "labelTooLong");
    CHECK(dns::normalize_name("a.*.example.com", {.allow_wildcard = true}).error().reason.word() ==
          "badLabel");
    CHECK(dns::normalize_name(std::string("a\0b.example", 11)).error().reason.word() == "badLabel");
    std::string longest;
    while (longest.size() < 250)
        longest += "abcdefghi.";
    CHECK(dns::normalize_name(longest + "example").error().reason.word() == "nameTooLong");
}

TEST_CASE("CSR-03b: a NUL hides nothing behind it, in plain names and in U-labels")
{
    CHECK(dns::normalize_name(std::string("a.example\0.evil", 15)).error().reason.word() == "badLabel");
    CHECK(dns::normalize_name(std::string("b\xc3\xbc.example\0.evil", 17)).error().reason.word() ==
          "badLabel");
}

TEST_CASE("CHAL-06a: TSIG keys in the forms of tsig-keygen and of one line; MD5 and SHA-1 are refused")
{
    const auto key = dns::parse_tsig_key(
        "# comment\nkey \"Acme.Key.\" { /* x */\n algorithm hmac-SHA256; // y\n\tsecret \"c2VjcmV0\";\n};\n");
    REQUIRE(key);
    CHECK(key->name == "acme.key");
    CHECK(key->algorithm == "hmac-sha256");
    CHECK(key->secret.reveal() == "c2VjcmV0");
    CHECK(dns::parse_tsig_key("hmac-sha512:k.example:c2VjcmV0\n"));
    for (const auto* text : {"", "key", "key x {", "key x { algorithm hmac-sha256; };", "hmac-md5:k:c2VjcmV0",
                             "hmac-sha1:k:c2VjcmV0", "hmac-sha256:k:!!!", "hmac-sha256:a b:c2VjcmV0", "/*",
                             "\"", "key \"x\" { secret \"c2VjcmV0\" algorithm hmac-sha256 }"}) {
        const auto bad = dns::parse_tsig_key(text);
        REQUIRE_FALSE(bad);
        CHECK(bad.error().message.find("c2VjcmV0") == std::string::npos);
    }
}

TEST_CASE("servers are HOST, HOST:PORT or [V6]:PORT")
{
    CHECK(net::parse_endpoint("127.0.0.1:5300")->text() == "127.0.0.1:5300");
    CHECK(net::parse_endpoint("ns.example")->port == 53);
    CHECK(net::parse_endpoint("::1")->text() == "[::1]:53");
    CHECK(net::parse_endpoint("[::1]:5300")->text() == "[::1]:5300");
    for (const auto* text : {"2001:db8::1:53", "[2001:db8::1:53]"})
        CHECK(net::parse_endpoint(text, 1812)->text() == "[2001:db8::1:53]:1812");
    CHECK(net::parse_endpoint("radius.example", 1812)->port == 1812);
    CHECK(net::parse_endpoint("radius.example:53", 1812)->port == 53);
    for (const auto* text : {"", ":53", "a:0", "a:65536", "a:b", "[::1", "a:"})
        CHECK_FALSE(net::parse_endpoint(text));
}

TEST_CASE("junk is no DNS answer")
{
    CHECK_FALSE(dns::parse_answer({}));
    const Bytes junk(40, 0xff);
    CHECK_FALSE(dns::parse_answer(junk));
}

TEST_CASE("SEC-06: validation asks public hosts only")
{
    for (const auto* address :
         {"127.0.0.1", "10.1.2.3", "169.254.169.254", "192.168.1.1", "172.31.0.1", "100.64.0.1", "0.0.0.0",
          "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "::ffff:127.0.0.1",
          "::ffff:10.0.0.1", "ff02::1", "junk"})
        CHECK(ca::is_forbidden_target(address, false));
    CHECK_FALSE(ca::is_forbidden_target("93.184.216.34", false));
    CHECK_FALSE(ca::is_forbidden_target("2606:2800:220:1::1", false));
    CHECK_FALSE(ca::is_forbidden_target("127.0.0.2", true));
    CHECK(ca::is_forbidden_target("10.0.0.1", true));
}
