#include <doctest/doctest.h>

#include "http/text_response.h"

using namespace acmetool;

TEST_CASE("a text answer is fit for a terminal, line by line")
{
    const auto one = http::text_response(403, "no \x1b[31msuch thing");
    CHECK(one.status == 403);
    CHECK(one.headers == http::Headers{{"Content-Type", "text/plain"}});
    CHECK(one.body == "no ?[31msuch thing\n");
    CHECK(http::text_lines(200, {"ready", "warning: a\nb"}).body == "ready\nwarning: a b\n");
}

TEST_CASE("FLD-E2: 202 and 401 have no body")
{
    for (const int status : {202, 401}) {
        const auto none = http::text_response(status, "words");
        CHECK(none.body.empty());
        CHECK(none.headers.empty());
    }
}
