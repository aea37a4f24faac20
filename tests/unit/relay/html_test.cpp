#include <doctest/doctest.h>

#include "relay/html.h"

using namespace acmetool;
using relay::Html;

TEST_CASE("OPR-31: html: text and attributes are escaped, and all that is open is closed")
{
    Html html;
    html.open("main").open("p", {{"title", "\"><script>"}}).text("</p><b>&").close();
    html.empty("img", {{"alt", "'a' & b"}});
    html.link("/device?id=<x>", "<x>");
    CHECK(html.take() == "<main><p title=\"&quot;&gt;&lt;script&gt;\">&lt;/p&gt;&lt;b&gt;&amp;</p>\n"
                         "<img alt=\"&#39;a&#39; &amp; b\"/>\n"
                         "<a href=\"/device?id=&lt;x&gt;\">&lt;x&gt;</a>\n</main>\n");
}

TEST_CASE("OPR-30: html: a time has its form for machines")
{
    Html html;
    html.time(base::TimePoint{std::chrono::seconds{0}});
    CHECK(html.take() == "<time datetime=\"1970-01-01T00:00:00Z\">1970-01-01 00:00:00</time>\n");
}

TEST_CASE("OPR-32: html: what a query says comes back as it was, and what is malformed is nothing")
{
    for (const std::string text : {"device0001", "a b&c=d", "100%", "+", "\xC3\xBC\x01\xFF", "a/b?c#d", ""}) {
        CAPTURE(text);
        CHECK(relay::query_member("/device?x=1&id=" + relay::query_value(text) + "&y=2", "id") == text);
    }
    CHECK(relay::query_member("/device?id=a+b", "id") == "a b");
    CHECK(relay::query_member("/device?ident=x", "id").empty());
    CHECK(relay::query_member("/device", "id").empty());
    for (const auto* wrong : {"/?id=%", "/?id=%4", "/?id=%zz", "/?id=a%+1"}) {
        CAPTURE(wrong);
        CHECK(relay::query_member(wrong, "id").empty());
    }
}
