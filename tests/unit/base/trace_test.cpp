#include <doctest/doctest.h>

#include "base/text.h"
#include "base/trace.h"

using namespace acmetool;
using namespace acmetool::base;

namespace
{

constexpr std::string_view kLine =
    R"({"time":"2026-11-23T09:14:02Z","from":"client","to":"acme","label":"x"})";

} // namespace

TEST_CASE("trace: a line is read as it was written")
{
    Message message;
    message.from = "acme";
    message.to = "client";
    message.label = "403 rateLimited";
    message.detail = "too many";
    message.url = "https://ca.example/new-order";
    message.status = 403;
    message.request_id = "4f1d2c9a7b3e6058";
    message.device = "CN=device serial 0A";
    message.inferred = true;
    message.took = Milliseconds{12};
    const TimePoint now{std::chrono::seconds{1'795'425'242}};
    const auto entry = parse_trace_line(trim(to_trace_line(message, now)));
    REQUIRE(entry);
    CHECK(entry->time == now);
    CHECK(to_trace_line(entry->message, now) == to_trace_line(message, now));
    CHECK(entry->message.device == "CN=device serial 0A");
    CHECK(entry->message.inferred);
    CHECK_FALSE(parse_trace_line(kLine)->message.inferred);
    CHECK(is_failure(entry->message));
}

TEST_CASE("trace: what is no message is left out and counted, a cut last line is told")
{
    const std::string line{kLine};
    CHECK(parse_trace("").entries.empty());
    const auto trace =
        parse_trace(line + "\nnonsense\n\n{\"type\":\"other\"}\r\n" + line + "\r\n" + line.substr(0, 40));
    CHECK(trace.entries.size() == 2);
    CHECK(trace.skipped == std::vector<std::size_t>{2, 4});
    CHECK(trace.cut);
    CHECK_FALSE(parse_trace(line).cut);
    CHECK(parse_trace(line).entries.size() == 1);
    for (const auto* bad :
         {R"({"time":"yesterday","from":"a","to":"b","label":"x"})", R"({"from":"a","to":"b","label":"x"})",
          R"({"time":"2026-11-23T09:14:02Z","from":"","to":"b","label":"x"})", R"([1])",
          R"({"time":"2026-11-23T09:14:02Z","from":"a","to":7,"label":"x"})"})
        CHECK_FALSE(parse_trace_line(bad));
    CHECK_FALSE(parse_trace_line(line.substr(0, line.size() - 1) + ",\"detail\":\"" +
                                 std::string(70000, 'x') + "\"}"));
}

TEST_CASE("SEC-09: trace: texts come back fit for a terminal, and numbers within their bounds")
{
    const auto entry = parse_trace_line(
        R"({"time":"2026-11-23T09:14:02Z","from":"a\u001b[2J","to":"b\nc","label":"l\u009b31m\u0000","status":1e3,"ms":-1})");
    REQUIRE(entry);
    CHECK(entry->message.from == "a?[2J");
    CHECK(entry->message.to == "b c");
    CHECK(entry->message.label == "l??31m?");
    CHECK(entry->message.status == 0);
    CHECK_FALSE(entry->message.took);
    const auto huge = parse_trace_line(
        R"({"time":"2026-11-23T09:14:02Z","from":"a","to":"b","label":"l","status":18446744073709551615,"ms":99999999999})");
    REQUIRE(huge);
    CHECK(huge->message.status == 0);
    CHECK_FALSE(huge->message.took);
}
