#include "cli/help.h"

#include <algorithm>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "base/text.h"

using namespace acmetool;

namespace
{

cli::ProgramInfo program()
{
    cli::VerbInfo verb;
    verb.name = "run";
    verb.help = "do all steps";
    verb.example =
        "prog run --hook ./hook \\\n    -o a/file/whose/name/is/long/enough/for/another/line.pem domain.com";
    verb.words = {"DOMAIN", "Domain to authorize", true};
    verb.options = {
        {'o', "output", "FILE", "Write the result to this file", "", false, {}, false, cli::kCommonGroup},
        {'\0',
         "hook",
         "PROGRAM",
         std::string(30, 'w') + " " + std::string(30, 'x'),
         "",
         false,
         {},
         false,
         "Solver options"},
        {'\0', "style", "STYLE", "Style", "uacme", true, {"uacme", "lego"}, true, "Solver options"},
        {'\0', "an-option-whose-name-is-long", "FILE", "Long", "", false, {}, false, ""},
    };
    cli::ProgramInfo info;
    info.name = "prog";
    info.help = "proves things";
    info.verbs = {verb};
    return info;
}

} // namespace

TEST_CASE(
    "FLD-U17: help of a command has groups, its own options first and the common ones last, and an example")
{
    const auto info = program();
    const std::string gap(32, ' ');
    CHECK(cli::help_text(info, info.verbs.front()) ==
          "prog run: do all steps\n"
          "\n"
          "Usage: prog run [OPTIONS] DOMAIN...\n"
          "\n"
          "  DOMAIN                        Domain to authorize\n"
          "\n"
          "Options:\n"
          "  --an-option-whose-name-is-long FILE\n" +
              gap +
              "Long\n"
              "\n"
              "Solver options:\n"
              "  --hook PROGRAM                " +
              std::string(30, 'w') + "\n" + gap + std::string(30, 'x') +
              "\n"
              "  --style STYLE                 Style (default: uacme)\n"
              "\n"
              "Common options:\n"
              "  -o, --output FILE             Write the result to this file\n"
              "\n"
              "Example:\n"
              "  prog run --hook ./hook \\\n"
              "      -o a/file/whose/name/is/long/enough/for/another/line.pem domain.com\n"
              "\n"
              "Manual: man prog. Exit status: man acmetool-exit-codes.\n");
}

TEST_CASE("FLD-U17: help of a program lists its commands")
{
    const auto text = cli::help_text(program());
    CHECK(text.find("Usage: prog COMMAND [OPTIONS]\n") != std::string::npos);
    CHECK(text.find("\n  run                           do all steps\n") != std::string::npos);
    for (const auto line : base::split(text, '\n'))
        CHECK(line.size() <= 80);
}

TEST_CASE("FLD-U12: help as a document has each option with its argument, default and values")
{
    const auto info = program();
    const auto members = cli::help_members(info, &info.verbs.front());
    const auto& options = members.at("commands").at(0).at("options");
    CHECK(options.size() == 4);
    CHECK(options.at(2) == base::Json{{"name", "style"},
                                      {"argument", "STYLE"},
                                      {"description", "Style"},
                                      {"default", "uacme"},
                                      {"repeatable", true},
                                      {"values", {"uacme", "lego"}},
                                      {"otherValues", false},
                                      {"group", "Solver options"}});
    CHECK(options.at(0).at("letter") == "o");
    CHECK(members.at("commands").at(0).at("words").at("required") == true);
}
