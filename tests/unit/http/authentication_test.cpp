#include <doctest/doctest.h>

#include "http/authentication.h"
#include "http/response_reader.h"
#include "http/url.h"

using namespace acmetool;
using http::AuthScheme;

namespace
{

http::Headers challenges(const std::string& value)
{
    return {{"www-authenticate", value}};
}

} // namespace

TEST_CASE("ESTC-14b: the answer of RFC 7616 section 3.9.1, for SHA-256 and MD5")
{
    http::Credentials credentials{"Mufasa", base::Secret{"Circle of Life"}, AuthScheme::any};
    const http::DigestInput input{"GET", "/dir/index.html", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
                                  1};
    const std::string rest = R"(, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", )"
                             R"(opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS")";
    const auto both = http::choose_challenge(
        {{"www-authenticate",
          R"(Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=MD5)" + rest},
         {"www-authenticate",
          R"(Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256)" + rest}},
        AuthScheme::any);
    REQUIRE(both);
    CHECK(both->algorithm == "SHA-256");
    CHECK(http::answer(*both, credentials, input)
              ->find("response=\"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1\"") !=
          std::string::npos);
    auto md5 = *both;
    md5.algorithm = "MD5";
    CHECK(http::answer(md5, credentials, input)->find("response=\"8ca523f5e9506fed4657c9700eebdbec\"") !=
          std::string::npos);
}

TEST_CASE("ESTC-14b: which challenge is answered")
{
    const auto mixed = challenges(R"(Negotiate abc==, Basic realm="a, b\"c", Digest realm="d", nonce="n")");
    CHECK(http::choose_challenge(mixed, AuthScheme::any)->scheme == AuthScheme::digest);
    CHECK(http::choose_challenge(mixed, AuthScheme::basic)->realm == "a, b\"c");
    CHECK_FALSE(http::choose_challenge(challenges("Bearer"), AuthScheme::any));
    CHECK_FALSE(http::choose_challenge(challenges(R"(Digest realm="x", nonce="n", algorithm=SHA-512)"),
                                       AuthScheme::any));
    CHECK_FALSE(http::choose_challenge(challenges(R"(Digest realm="no nonce")"), AuthScheme::any));
    CHECK_FALSE(http::choose_challenge(challenges(R"("=",,="=)"), AuthScheme::any));
    const http::Credentials colon{"a:b", base::Secret{"c"}, AuthScheme::any};
    CHECK_FALSE(http::answer(*http::choose_challenge(mixed, AuthScheme::basic), colon, {}));
}

TEST_CASE("ESTC-02a, ESTC-22a: URLs and what a Location means")
{
    const auto url = *http::parse_url("HTTPS://Ra.Example:8443/a/b?c#d");
    CHECK(url.text() == "https://ra.example:8443/a/b?c");
    CHECK(http::parse_url("https://ra.example:443")->origin() == "https://ra.example");
    CHECK(http::parse_url("https://[2001:db8::1]:1/")->authority() == "[2001:db8::1]:1");
    for (const auto* bad : {"http://a/", "https://", "https://u@a/", "https://a:0/", "https://a:99999/",
                            "https://a b/", "https://[::1/", "https://a/\r\nX: y", "https://a:1x/"})
        CHECK_FALSE(http::parse_url(bad));
    CHECK(http::resolve(url, "/x")->text() == "https://ra.example:8443/x");
    CHECK(http::resolve(url, "x?y=https://z")->text() == "https://ra.example:8443/a/x?y=https://z");
    CHECK(http::resolve(url, "//other/x")->text() == "https://other/x");
    CHECK(http::resolve(url, "https://other:1/x")->text() == "https://other:1/x");
    CHECK_FALSE(http::resolve(url, "ftp://other/x"));
}

TEST_CASE("replies octet by octet: lengths, chunks, interim ones, limits")
{
    const std::string chunked =
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
        "Content-TYPE: x\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    http::ResponseReader reader{100};
    CHECK(reader.untouched());
    for (const char c : chunked)
        REQUIRE(reader.put({&c, 1}));
    REQUIRE(reader.done());
    CHECK(reader.keeps_connection());
    const auto response = reader.take();
    CHECK(response.status == 200);
    CHECK(response.body == "abcde");
    CHECK(http::find(response.headers, "content-type") == "x");

    http::ResponseReader until_end{100};
    REQUIRE(until_end.put("HTTP/1.1 200 OK\r\n\r\nbody"));
    CHECK_FALSE(until_end.done());
    REQUIRE(until_end.end());
    CHECK_FALSE(until_end.keeps_connection());

    http::ResponseReader cut{100};
    REQUIRE(cut.put("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nbody"));
    CHECK(cut.end().error().reason.word() == "reset");
    http::ResponseReader large{3};
    CHECK(large.put("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody").error().reason.word() ==
          "bodyTooLarge");
    http::ResponseReader junk{100};
    CHECK(junk.put("220 mail.example ESMTP\r\n\r\n").error().reason.word() == "notHttp");
}

TEST_CASE("FLD-E8: a link-local address keeps its zone for the connection, and Host has none")
{
    for (const auto* text : {"https://[FE80::1%25eth0.1]:8443/x", "https://[fe80::1%eth0.1]:8443/x"}) {
        const auto url = *http::parse_url(text);
        CHECK(url.host == "fe80::1%eth0.1");
        CHECK(url.text() == "https://[fe80::1%25eth0.1]:8443/x");
        CHECK(url.host_field() == "[fe80::1]:8443");
        CHECK(http::parse_url(url.text())->host == url.host);
    }
    CHECK(http::parse_url("https://[fe80::1%25Ethernet_2]")->host == "fe80::1%Ethernet_2");
    for (const auto* bad : {"https://[fe80::1%]/", "https://[fe80::1%25]/", "https://[fe80::1%25a%b]/",
                            "https://host%25eth0/"}) {
        CAPTURE(bad);
        CHECK_FALSE(http::parse_url(bad));
    }
}
