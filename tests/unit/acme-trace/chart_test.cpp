#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "acme-trace/chart.h"

using namespace acmetool;
using namespace acmetool::cli;

namespace
{

/// FROM TO LABEL, ten seconds after the one before; requests begin with POST.
base::Trace trace_of(std::initializer_list<std::array<std::string, 3>> messages)
{
    base::Trace trace;
    for (const auto& [from, to, label] : messages) {
        base::Message message;
        message.from = from;
        message.to = to;
        message.label = label;
        if (label.find("POST") == 0) message.method = "POST";
        if (label.find("4") == 0) message.status = 400;
        trace.entries.push_back(
            {base::TimePoint{std::chrono::seconds{10 * static_cast<int>(trace.entries.size())}}, message});
    }
    return trace;
}

} // namespace

TEST_CASE("ladder: the parties stand as in the draft, strangers to the right")
{
    const auto chart =
        chart_of(trace_of({{"zebra", "dns", "x"}, {"acme", "client", "x"}, {"client", "est", "x"}}));
    CHECK(chart.parties == std::vector<std::string>{"Client", "EST RA", "ACME", "DNS", "zebra"});
    CHECK(chart.arrows[0].from == 4);
    CHECK(chart.arrows[0].to == 3);
    CHECK(chart.arrows[1].after == std::chrono::seconds{10});
    base::Trace crowd;
    for (int i = 0; i < 40; ++i) {
        base::Message message;
        message.from = "p" + std::to_string(i);
        message.to = "client";
        message.label = "x";
        crowd.entries.push_back({{}, message});
    }
    const auto crowded = chart_of(crowd);
    CHECK(crowded.parties.size() == 13);
    CHECK(crowded.parties.back() == "others");
    CHECK(crowded.arrows.back().from == 12);
}

TEST_CASE(
    "ladder: what is asked again because it was refused has a number, what is asked again else has none")
{
    const auto chart = chart_of(trace_of({{"client", "acme", "POST /newOrder"},
                                          {"acme", "client", "400 badNonce"},
                                          {"client", "acme", "POST /newOrder"},
                                          {"acme", "client", "no answer"},
                                          {"client", "acme", "POST /newOrder"},
                                          {"acme", "client", "201 status=ready"},
                                          {"client", "acme", "POST /newOrder"},
                                          {"acme", "client", "200 status=invalid"}}));
    std::vector<unsigned> attempts;
    for (const auto& arrow : chart.arrows)
        attempts.push_back(arrow.attempt);
    CHECK(attempts == std::vector<unsigned>{1, 1, 2, 1, 3, 1, 1, 1});
    CHECK(chart.failures == 3);
    CHECK(summary_of(chart) == "8 messages in 1 min 10 s, 3 failures");
    CHECK(draw_text(chart).find("attempt 3") != std::string::npos);
}

TEST_CASE("ladder: texts are wrapped by characters, at spaces where there are any")
{
    CHECK(wrap("one two three", 7) == std::vector<std::string>{"one two", "three"});
    CHECK(wrap("abcdefgh", 3) == std::vector<std::string>{"abc", "def", "gh"});
    CHECK(wrap("\u00fc\u00fc\u00fc", 2) == std::vector<std::string>{"\u00fc\u00fc", "\u00fc"});
    CHECK(wrap("", 3).empty());
}

TEST_CASE("ladder: text as the draft draws it, with the time that passed")
{
    const auto text =
        draw_text(chart_of(trace_of({{"client", "acme", "POST /newOrder"}, {"acme", "client", "400 caa"}})));
    CHECK(text == R"(                +--------+               +------+
                | Client |               | ACME |
                +--------+               +------+
                     |                       |
1970-01-01           |                       |
00:00:00             | POST /newOrder        |
                     |---------------------->|
                     |                       |
+10 s                :                       :
00:00:10 !           | 400 caa               |
                     |<----------x-----------|
                     |                       |
2 messages in 10 s, 1 failure
)");
}

TEST_CASE("ladder: SVG holds no text that XML takes for its own")
{
    const auto svg = draw_svg(chart_of(trace_of({{"<a>", "\"b\"", "x & \xEF\xBF\xBE</svg>"}})));
    CHECK(svg.find("&lt;a&gt;") != std::string::npos);
    CHECK(svg.find("&quot;b&quot;") != std::string::npos);
    CHECK(svg.find("x &amp; ?&lt;/svg&gt;") != std::string::npos);
    CHECK(svg.find("</svg>") == svg.size() - 7);
}
