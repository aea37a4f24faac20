#include <algorithm>
#include <cctype>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "cli/chart.h"
#include "cli/inference.h"
#include "cli/ladder_page.h"

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
    CHECK(text == R"(          +--------+               +------+
          | Client |               | ACME |
          +--------+               +------+
               |                       |
1970-01-01     |                       |
00:00:00       | POST /newOrder        |
               |---------------------->|
               |                       |
+10 s          :                       :
00:00:10 !     | 400 caa               |
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

TEST_CASE("FLD-U15: ladder: five parties and the longest messages of a relay fit 60 columns")
{
    auto trace =
        trace_of({{"client", "ra",
                   "{Request-Action(Status=Failure, Action=Process-TLV: PKCS#10, "
                   "CSR-Attributes), CSR-Attributes}"},
                  {"ra", "masa", "POST /requestvoucher"},
                  {"masa", "ra", "401 the-registrar-is-not-known-here-and-never-was-known-anywhere-else"},
                  {"ra", "dns", "Publish DNS TXT"},
                  {"acme", "dns", "a message from a party near the right edge"},
                  {"dns", "dns", "text at the last party"}});
    trace.entries[3].message.detail = "pledge-with-a-long-name.below-a-long-name.domain.example.com";
    const auto text = draw_text(chart_of(trace));
    std::size_t longest = 0;
    for (std::size_t at = 0; at < text.size();) {
        const auto end = text.find('\n', at);
        longest = std::max(longest, characters(text.substr(at, end - at)).size());
        at = end + 1;
    }
    CHECK(longest <= 60);
    for (const auto* title : {"| Client |", "| RA |", "| ACME |", "| MASA |", "| DNS |"})
        CHECK(text.find(title) < text.find("\n", text.find("| Client |")));
    // Nothing of a text is lost, wherever it is broken.
    std::string letters;
    for (const auto c : text)
        if (std::isalpha(static_cast<unsigned char>(c)) != 0) letters += c;
    for (const auto* part : {"ActionProcessTLVPKCSCSRAttributesCSRAttributes", "neverwasknownanywhereelse",
                             "belowalongnamedomainexamplecom", "neartherightedge", "textatthelastparty"})
        CHECK(letters.find(part) != std::string::npos);
}

TEST_CASE("TRC-02a, TRC-02b: the CA's look at a record or a file is drawn before the end of the validation, "
          "as inferred")
{
    const auto about = [](std::string from, std::string to, std::string label, std::string detail,
                          std::string url) {
        base::Message message;
        message.from = std::move(from);
        message.to = std::move(to);
        message.label = std::move(label);
        message.detail = std::move(detail);
        message.url = std::move(url);
        return base::TraceEntry{{}, message};
    };
    base::Trace trace;
    trace.entries = {about("ra", "dns", "Publish DNS TXT", "a.example", "_acme-challenge.a.example"),
                     about("ra", "web", "Publish challenge file", "b.example", "/x"),
                     about("ra", "acme", "POST /challenge", "a.example", "/challenge/1"),
                     about("acme", "ra", "200 status=processing", "", "/challenge/1"),
                     about("ra", "acme", "POST /challenge", "b.example", "/challenge/2"),
                     about("ra", "acme", "POST /authz", "a.example", "/authz/1"),
                     about("acme", "ra", "200 status=invalid", "", "/challenge/2"), // b
                     about("acme", "ra", "200 status=valid", "", "/authz/1"),       // a
                     about("ra", "acme", "POST /authz", "a.example", "/authz/1"),
                     about("acme", "ra", "200 status=valid", "", "/authz/1"), // known from before
                     about("ra", "acme", "POST /finalize", "a.example", "/finalize/1"),
                     about("acme", "ra", "200 status=valid", "", "/finalize/1")};
    const auto chart = chart_of(trace);
    std::vector<std::string> inferred;
    for (std::size_t i = 0; i < chart.arrows.size(); ++i) {
        const auto& message = chart.arrows[i].message;
        if (message.inferred)
            inferred.push_back(message.from + ">" + message.to + " " + message.label + " " + message.detail +
                               " before " + chart.arrows[i + 1].message.url);
    }
    CHECK(inferred == std::vector<std::string>{"acme>web Verify b.example before /challenge/2",
                                               "acme>dns Verify a.example before /authz/1"});
    const auto text = draw_text(chart);
    CHECK(text.find("Verify (inferred)") != std::string::npos);
    CHECK(text.find("- - ") != std::string::npos);
    CHECK(text.find("12 messages") != std::string::npos);
    CHECK(draw_svg(chart).find("class=\"inferred\"") != std::string::npos);
    CHECK(to_json(chart)[6]["inferred"] == true);
    CHECK_FALSE(to_json(chart)[0].contains("inferred"));
}

TEST_CASE("TRC-01a: the requests of a device are found by its certificate, and no other device's")
{
    const auto entry = [](std::string id, std::string device, std::string label) {
        base::Message message;
        message.from = "client";
        message.to = "ra";
        message.request_id = std::move(id);
        message.device = std::move(device);
        message.label = std::move(label);
        return base::TraceEntry{{}, message};
    };
    base::Trace trace;
    trace.entries = {
        entry("", "", "pre-authorization"),   entry("1", "one", "voucher"),           entry("1", "", "MASA"),
        entry("2", "two", "another device"),  entry("3", "one", "simpleenroll"),      entry("3", "", "order"),
        entry("4", "", "nobody in a tunnel"), entry("5", "one", "simpleenroll again")};
    const auto labels = [&trace](const std::string& id) {
        std::string all;
        for (const auto& one : requests_of_device(trace, id).entries)
            all += (all.empty() ? "" : ", ") + one.message.label;
        return all;
    };
    CHECK(labels("3") == "voucher, MASA, simpleenroll, order, simpleenroll again");
    CHECK(labels("1") == labels("5"));
    CHECK(labels("2") == "another device");
    CHECK(labels("4") == "nobody in a tunnel");
    CHECK(labels("9").empty());
    CHECK(labels("").empty());
}
