#include "cli/help.h"

#include <algorithm>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/text.h"

namespace acmetool::cli
{
namespace
{

constexpr std::size_t kWidth = 80;
constexpr std::size_t kColumn = 32; ///< where descriptions begin

/// Appends `text`, broken at spaces; lines after the first begin at `indent`. `used`: columns of the first.
void wrap(std::string& out, std::string_view text, std::size_t indent, std::size_t used)
{
    bool first = true;
    for (const auto word : base::split(text, ' ')) {
        if (!first && used + 1 + word.size() > kWidth) {
            out += '\n' + std::string(indent, ' ');
            used = indent;
            first = true;
        }
        if (!first) out += ' ';
        out += word;
        used += word.size() + (first ? 0 : 1);
        first = false;
    }
    out += '\n';
}

/// A term and its description in two columns.
void entry(std::string& out, const std::string& term, const std::string& description)
{
    out += "  " + term;
    if (2 + term.size() + 2 > kColumn)
        out += '\n' + std::string(kColumn, ' ');
    else
        out += std::string(kColumn - 2 - term.size(), ' ');
    wrap(out, description, kColumn, kColumn);
}

/// A command for the shell, continued on further lines where it is too long; an option stays with its value.
void command(std::string& out, const std::string& text)
{
    constexpr std::size_t kContinued = 2; // the backslash that continues a line
    std::vector<std::string> parts;
    for (const auto line : base::split(text, '\n'))
        for (const auto word : base::split(line, ' ')) {
            if (word.empty() || word == "\\") continue;
            if (!parts.empty() && parts.back().front() == '-' &&
                parts.back().find(' ') == std::string::npos && word.front() != '-')
                parts.back() += " " + std::string{word};
            else
                parts.emplace_back(word);
        }
    std::string line = " ";
    for (const auto& part : parts) {
        if (line.size() + 1 + part.size() + kContinued > kWidth) {
            out += line + " \\\n";
            line = "     ";
        }
        line += " " + part;
    }
    out += line + "\n";
}

std::string term_of(const OptionInfo& option)
{
    auto term = option.letter == '\0' ? std::string{} : fmt::format("-{}, ", option.letter);
    term += "--" + option.name;
    if (!option.argument.empty()) term += " " + option.argument;
    return term;
}

void groups(std::string& out, const std::vector<OptionInfo>& options)
{
    std::vector<std::string> titles;
    for (const auto& option : options)
        if (std::find(titles.begin(), titles.end(), option.group) == titles.end())
            titles.push_back(option.group);
    // The command's own options first, those of every command last.
    const auto rank = [](const std::string& title) {
        return title.empty() ? 0 : title == kCommonGroup ? 2 : 1;
    };
    std::stable_sort(titles.begin(), titles.end(),
                     [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
    for (const auto& title : titles) {
        out += '\n' + (title.empty() ? "Options" : title) + ":\n";
        for (const auto& option : options)
            if (option.group == title)
                entry(out, term_of(option),
                      option.help + (option.fallback.empty() ? "" : " (default: " + option.fallback + ")"));
    }
}

std::string page_of(const ProgramInfo& program)
{
    return fmt::format("\nManual: man {}. Exit status: man acmetool-exit-codes.\n", program.name);
}

base::Json member_list(const std::vector<OptionInfo>& options)
{
    auto list = base::Json::array();
    for (const auto& option : options) {
        base::Json member{{"name", option.name},
                          {"description", option.help},
                          {"repeatable", option.repeatable},
                          {"group", option.group.empty() ? "Options" : option.group}};
        if (option.letter != '\0') member["letter"] = std::string(1, option.letter);
        if (!option.argument.empty()) member["argument"] = option.argument;
        if (!option.fallback.empty()) member["default"] = option.fallback;
        if (!option.choices.empty()) {
            member["values"] = option.choices;
            member["otherValues"] = !option.only_choices;
        }
        list.push_back(std::move(member));
    }
    return list;
}

} // namespace

std::string help_text(const ProgramInfo& program)
{
    if (program.has_only_job()) return help_text(program, program.verbs.front());
    std::string out;
    wrap(out, program.name + ": " + program.help, 0, 0);
    out += fmt::format("\nUsage: {} COMMAND [OPTIONS]\n\nCommands:\n", program.name);
    for (const auto& verb : program.verbs)
        entry(out, verb.name, verb.help);
    entry(out, "help [COMMAND]", "show this help, or that of a command with its options and an example");
    return out + page_of(program);
}

std::string help_text(const ProgramInfo& program, const VerbInfo& verb)
{
    const auto call = call_of(program, verb);
    std::string out;
    wrap(out, call + ": " + verb.help, 0, 0);
    const auto words = !verb.words            ? std::string{}
                       : verb.words->required ? fmt::format(" {}...", verb.words->name)
                                              : fmt::format(" [{}...]", verb.words->name);
    out += fmt::format("\nUsage: {} [OPTIONS]{}\n", call, words);
    if (verb.words) {
        out += '\n';
        entry(out, verb.words->name, verb.words->help);
    }
    groups(out, verb.options);
    if (!verb.example.empty()) {
        out += "\nExample:\n";
        command(out, verb.example);
    }
    return out + page_of(program);
}

base::Json help_members(const ProgramInfo& program, const VerbInfo* verb)
{
    auto commands = base::Json::array();
    for (const auto& one : program.verbs) {
        if (verb != nullptr && verb != &one) continue;
        base::Json member{{"description", one.help}, {"options", member_list(one.options)}};
        if (!one.name.empty()) member["name"] = one.name;
        if (!one.example.empty()) member["example"] = one.example;
        if (one.words)
            member["words"] = {{"name", one.words->name},
                               {"description", one.words->help},
                               {"required", one.words->required}};
        commands.push_back(std::move(member));
    }
    return {{"program", program.name}, {"description", program.help}, {"commands", std::move(commands)}};
}

} // namespace acmetool::cli
