#include <doctest/doctest.h>

#include "http/response_reader.h"

using namespace acmetool;

TEST_CASE(
    "a reply that ends before it began, within its headers, or after an interim one, is a broken connection")
{
    for (const auto* text : {"", "HTTP/1.1 200 OK\r\nContent-", "HTTP/1.1 100 Continue\r\n\r\n",
                             "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab"}) {
        CAPTURE(text);
        http::ResponseReader reader{100};
        REQUIRE(reader.put(text));
        const auto ended = reader.end();
        REQUIRE_FALSE(ended);
        CHECK(ended.error().reason.word() == "reset");
    }
}

TEST_CASE("a reply without a length ends with the connection, one with a length before it")
{
    http::ResponseReader open_ended{100};
    REQUIRE(open_ended.put("HTTP/1.1 200 OK\r\n\r\nab"));
    CHECK_FALSE(open_ended.done());
    REQUIRE(open_ended.end());
    CHECK(open_ended.take().body == "ab");

    http::ResponseReader counted{100};
    REQUIRE(
        counted.put("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nab"));
    CHECK(counted.done());
    CHECK(counted.keeps_connection());
    const auto response = counted.take();
    CHECK(response.status == 404);
    CHECK(response.body == "ab");
}

TEST_CASE("a reply that is too long or no HTTP is the peer's fault")
{
    http::ResponseReader small{2};
    const auto outcome = small.put("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc");
    REQUIRE_FALSE(outcome);
    CHECK(outcome.error().reason.word() == "bodyTooLarge");
    http::ResponseReader other{100};
    const auto junk = other.put("220 mail.example ESMTP\r\n\r\n");
    REQUIRE_FALSE(junk);
    CHECK(junk.error().reason.word() == "notHttp");
}
