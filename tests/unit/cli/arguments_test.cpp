#include "cli/arguments.h"

#include <doctest/doctest.h>

using namespace acmetool;
using cli::Arguments;
using cli::OptionInfo;

namespace
{

std::vector<OptionInfo> common()
{
    return {{'h', "help", "", "", "", false, {}, false, cli::kCommonGroup},
            {'\0', "version", "", "", "", false, {}, false, cli::kCommonGroup},
            {'\0', "json", "", "", "", false, {}, false, cli::kCommonGroup},
            {'o', "output", "FILE", "", "", false, {}, false, cli::kCommonGroup},
            {'q', "quiet", "", "", "", false, {}, false, cli::kCommonGroup},
            {'v', "verbose", "", "", "", true, {}, false, cli::kCommonGroup},
            {'\0', "trace", "FILE", "", "", false, {}, false, cli::kCommonGroup}};
}

cli::VerbInfo verb(const std::string& name, std::vector<OptionInfo> own)
{
    cli::VerbInfo info;
    info.name = name;
    info.options = std::move(own);
    for (auto& option : common())
        info.options.push_back(option);
    return info;
}

OptionInfo option(const std::string& name, const std::string& argument)
{
    OptionInfo info;
    info.name = name;
    info.argument = argument;
    return info;
}

cli::ProgramInfo orders()
{
    cli::ProgramInfo program;
    program.name = "prog";
    program.common = common();
    program.verbs = {verb("new", {option("dns", "NAME"), option("new-key", "TYPE"), option("pop", "")}),
                     verb("run", {option("hook", "PROGRAM")}), verb("auth", {})};
    program.verbs[1].example = "prog run < FILE";
    program.verbs[2].example = "prog auth domain.com";
    program.verbs[2].words = {"DOMAIN", "", true};
    program.verbs[2].options.pop_back(); // sends nothing
    return program;
}

cli::ProgramInfo job()
{
    cli::ProgramInfo program;
    program.name = "job";
    program.common = common();
    program.verbs = {verb("", {option("dns", "NAME")})};
    return program;
}

/// "verb|name=value ...|words", or "message|hint" of the error.
std::string parsed(const cli::ProgramInfo& program, const std::vector<std::string>& words)
{
    const auto result = cli::parse_arguments(program, words);
    if (!result) {
        CHECK(result.error().code == Errc::usage);
        return result.error().message + "|" + result.error().hint;
    }
    if (result->wish != Arguments::Wish::run)
        return std::string{result->wish == Arguments::Wish::help ? "help" : "version"} + "|" +
               (result->verb == nullptr ? "" : result->verb->name);
    auto text = result->verb->name + "|";
    for (const auto& [name, value] : result->options)
        text += name + "=" + value + " ";
    text += "|";
    for (const auto& word : result->words)
        text += word + " ";
    return text;
}

} // namespace

TEST_CASE("FLD-U16: options in each form, words, and common options before the command")
{
    const auto program = orders();
    CHECK(parsed(program, {"new", "--dns", "a", "--dns=b", "--pop"}) == "new|dns=a dns=b pop= |");
    CHECK(parsed(program, {"new", "-vv", "-qo", "file", "-oother", "-o", "-"}) ==
          "new|verbose= verbose= quiet= output=file output=other output=- |");
    CHECK(parsed(program, {"new", "--dns="}) == "new|dns= |");
    CHECK(parsed(program, {"new", "--dns=-x"}) == "new|dns=-x |");
    CHECK(parsed(program, {"--json", "-o", "run", "--trace=new", "run", "--hook", "x"}) ==
          "run|json= output=run trace=new hook=x |");
    CHECK(parsed(program, {"-qo", "new", "-oauth", "run"}) == "run|quiet= output=new output=auth |");
    CHECK(parsed(program, {"auth", "a.example", "-q", "--", "-odd", "--json"}) ==
          "auth|quiet= |a.example -odd --json ");
    CHECK(parsed(job(), {"--dns", "a"}) == "|dns=a |");
}

TEST_CASE("FLD-U16: help and version, as options and as a command")
{
    const auto program = orders();
    CHECK(parsed(program, {"--help"}) == "help|");
    CHECK(parsed(program, {"-h"}) == "help|");
    CHECK(parsed(program, {"help"}) == "help|");
    CHECK(parsed(program, {"help", "run"}) == "help|run");
    CHECK(parsed(program, {"help", "run", "--json"}) == "help|run");
    CHECK(parsed(program, {"help", "rnu"}) == "\"rnu\" is not a command of prog|did you mean \"run\"?");
    CHECK(parsed(program, {"run", "--help", "--nonsense"}) == "help|run");
    CHECK(parsed(program, {"auth", "--help"}) == "help|auth");
    CHECK(parsed(program, {"run", "--version"}) == "version|run");
    CHECK(parsed(program, {"--version"}) == "version|");
    CHECK(parsed(job(), {"help"}) == "help|");
}

TEST_CASE("FLD-U16: usage errors in plain words, with the nearest option or command")
{
    const auto program = orders();
    CHECK(parsed(program, {}) == "no command given|prog --help lists the commands");
    CHECK(parsed(program, {"-q"}) == "no command given|prog --help lists the commands");
    CHECK(parsed(program, {"nwe"}) == "\"nwe\" is not a command of prog|did you mean \"new\"?");
    CHECK(parsed(program, {"elsewhere"}) ==
          "\"elsewhere\" is not a command of prog|prog --help lists the commands");
    CHECK(parsed(program, {"new", "--newkey", "ec:P-256"}) ==
          "new: unknown option --newkey|did you mean \"--new-key\"?");
    CHECK(parsed(program, {"new", "-newkey"}) == "new: unknown option -newkey|did you mean \"--new-key\"?");
    CHECK(parsed(program, {"new", "-output", "x"}) ==
          "new: unknown option -output|did you mean \"--output\"?");
    CHECK(parsed(program, {"new", "-z"}) == "new: unknown option -z|prog new --help lists the options");
    CHECK(parsed(program, {"new", "--hook", "x"}) == "new: unknown option --hook|it is an option of: run");
    CHECK(parsed(program, {"--hook", "x", "run"}) ==
          "unknown option --hook|write the command first: prog COMMAND --hook");
    CHECK(parsed(job(), {"--json=x"}) == "--json is a switch and takes no value|write only --json");
    CHECK(parsed(program, {"new", "--dns"}) == "--dns needs a value: --dns NAME|");
    CHECK(parsed(program, {"new", "--dns", "--pop"}) ==
          "--dns needs a value: --dns NAME|a value that begins with a hyphen is written --dns=VALUE");
    CHECK(parsed(program, {"new", "-o"}) == "-o needs a value: -o FILE|");
    CHECK(parsed(program, {"new", "sub.csr"}) ==
          "new: unexpected argument \"sub.csr\"|prog new --help lists the options");
    CHECK(parsed(program, {"run", "sub.csr"}) ==
          "run: unexpected argument \"sub.csr\"|the input comes from standard input: prog run < FILE");
    CHECK(parsed(program, {"auth"}) == "auth: DOMAIN is required|for example: prog auth domain.com");
    CHECK(parsed(program, {"auth", "--trace", "t", "a"}) ==
          "auth: unknown option --trace|it is an option of: new, run");
    CHECK(parsed(program, {"new", "--\x1b[31m"}).find('\x1b') == std::string::npos);
}

TEST_CASE("FLD-U8: a common option without effect is refused with this reason")
{
    auto program = job();
    program.verbs.front().options.pop_back();
    CHECK(parsed(program, {"--trace", "t"}) ==
          "unknown option --trace|it would have no effect here: nothing is sent");
}
