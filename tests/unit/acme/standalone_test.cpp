#include <doctest/doctest.h>

#include "acme/standalone.h"
#include "ca/validation.h"
#include "crypto/tls_alpn.h"

using namespace acmetool;

namespace
{

std::string status_of(std::string_view received)
{
    const auto reply =
        acme::answer_http01(received, [](std::string_view token) -> std::optional<std::string> {
            return token == "abc" ? std::optional<std::string>{"abc.print"} : std::nullopt;
        });
    return reply ? reply->substr(9, 3) : "more";
}

} // namespace

TEST_CASE("CHAL-09b: a standalone http-01 listener shows what was asked for by its token, and nothing else")
{
    CHECK(status_of("GET /.well-known/acme-challenge/abc HTTP/1.1\r\nHost: a\r\n\r\n") == "200");
    CHECK(status_of("GET /.well-known/acme-challenge/abc HTTP/1.0\n\n") == "200");
    CHECK(status_of("GET /.well-known/acme-challenge/abc HTTP/1.1\r\nHost: a\r\n") == "more");
    CHECK(status_of("GET /.well-known/acme-challenge/abd HTTP/1.1\r\n\r\n") == "404");
    CHECK(status_of("GET /.well-known/acme-challenge/ HTTP/1.1\r\n\r\n") == "404");
    CHECK(status_of("GET /abc HTTP/1.1\r\n\r\n") == "404");
    CHECK(status_of("POST /.well-known/acme-challenge/abc HTTP/1.1\r\n\r\n") == "405");
    CHECK(status_of("\x16\x03\x01\r\n\r\n") == "400");
    CHECK(status_of("GET / HTTP/2\r\n\r\n") == "400");
    CHECK(status_of(std::string(9000, 'a')) == "431");
}

TEST_CASE("CHAL-09b, CHAL-09c: where a standalone listener listens")
{
    const auto all = acme::parse_listen_address("8080");
    REQUIRE(all);
    CHECK(all->host.empty());
    CHECK(all->port == 8080);
    const auto six = acme::parse_listen_address("[::1]:443");
    REQUIRE(six);
    CHECK(six->host == "::1");
    CHECK(six->port == 443);
    for (const auto* text : {"", "host", "127.0.0.1", "127.0.0.1:", "70000", "[::1]", "a:b"}) {
        CAPTURE(text);
        const auto none = acme::parse_listen_address(text);
        REQUIRE_FALSE(none);
        CHECK(none.error().code == Errc::usage);
    }
}

TEST_CASE("CHAL-09c, CHAL-10a: the certificate of tls-alpn-01 is for one name or address, and for one digest")
{
    const Bytes digest(32, 0x5a);
    for (const std::string name : {"host.example", "192.0.2.7", "2001:db8::7"}) {
        CAPTURE(name);
        const auto proof = crypto::make_alpn_proof(name, digest);
        REQUIRE(proof);
        const auto der = proof->certificate.der();
        CHECK_FALSE(ca::check_acme_identifier(der, name, digest));
        CHECK(ca::check_acme_identifier(der, "other.example", digest));
        CHECK(ca::check_acme_identifier(der, name, Bytes(32, 0x5b)));
        CHECK(proof->certificate.public_key().same_public_key(proof->key));
    }
    CHECK(crypto::alpn_server_name("192.0.2.7") == "7.2.0.192.in-addr.arpa");
    CHECK(crypto::alpn_server_name("2001:db8::7") ==
          "7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa");
}
