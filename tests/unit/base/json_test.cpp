#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/text.h"

using namespace acmetool::base;

TEST_CASE("FAULT-11: JSON is taken strictly")
{
    CHECK(parse_json(R"({"a": [1, "b", null]})", "text"));
    for (const std::string text :
         {R"({"a":1,"a":2})", R"({"a":1} x)", R"({"a":)", "", "{'a':1}", "\xff", "\"\xc3\""})
        CHECK_FALSE(parse_json(text, "text"));
    CHECK(parse_json(std::string(64, '[') + std::string(64, ']'), "text"));
    CHECK_FALSE(parse_json(std::string(65, '[') + std::string(65, ']'), "text"));
    CHECK_FALSE(parse_json(std::string(100'000, '['), "text"));
    CHECK_FALSE(parse_json("\"" + std::string(100, 'x') + "\"", "text", {.bytes = 50}));
    CHECK_FALSE(parse_json_object("[]", "text"));
    CHECK(parse_json(R"({"a":1,"a":2})", "order").error().message == "order: member \"a\" occurs twice");
}

TEST_CASE("members of other types count as absent")
{
    const auto object = *parse_json(R"({"s": "x", "n": 1, "b": true, "z": null})", "text");
    CHECK(string_member(object, "s") == "x");
    CHECK_FALSE(string_member(object, "n"));
    CHECK_FALSE(string_member(object, "z"));
    CHECK(bool_member(object, "b", false));
    CHECK(bool_member(object, "s", true));
    CHECK_FALSE(required_string(object, "n", "text"));
}

TEST_CASE("SEC-10: JSON that is printed holds no character that steers a terminal, and the same text")
{
    const std::string text = "a\x7f\u009b\u202e\u2028\u00e9\u2013\n";
    const auto printed = to_text(Json{{"text", text}});
    CHECK(printed == "{\"text\":\"a\\u007f\\u009b\\u202e\\u2028\u00e9\u2013\\n\"}");
    CHECK(Json::parse(printed).at("text") == text);
}

TEST_CASE("text of a peer is made fit for a terminal")
{
    CHECK(printable("a\x1b[31mb") == "a?[31mb");
    CHECK(printable("caf\xc3\xa9") == "caf\xc3\xa9");
    CHECK(printable("\xc3(") == "?(");
    CHECK(printable("\xc2\x9b"
                    "2J") == "??2J");
    CHECK(printable("\xed\xa0\x80") == "???");
    CHECK(printable("a\u202eb\u2028c\u2066d\u200fe") == "a???b???c???d???e");
    CHECK(printable("\u2013\u2070") == "\u2013\u2070");
    CHECK(printable(std::string(20, 'x'), 10) == "xxxxxxxxxx...");
}
