#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// A program's commands and options as data: parsed by cli/arguments, printed by cli/help.
namespace acmetool::cli
{

struct OptionInfo {
    char letter = '\0';   ///< 'o' for "-o"; none if zero
    std::string name;     ///< "output"
    std::string argument; ///< "FILE"; empty for a flag
    std::string help;     ///< "Write the result to this file"
    std::string fallback; ///< the default, or words that describe it; may be empty
    bool repeatable = false;
    std::vector<std::string> choices; ///< the values that exist; empty if there are too many
    bool only_choices = false;        ///< any other value is refused
    std::string group;                ///< "Account options"; empty: the command's own
};

/// Words after the options.
struct WordsInfo {
    std::string name; ///< "DOMAIN"
    std::string help;
    bool required = false;
};

struct VerbInfo {
    std::string name; ///< empty if the program has only one job
    std::string help;
    std::string example; ///< one command, which may have several lines
    std::vector<OptionInfo> options;
    std::optional<WordsInfo> words;
};

struct ProgramInfo {
    std::string name;
    std::string help;
    std::vector<VerbInfo> verbs;    ///< one without a name if the program has only one job
    std::vector<OptionInfo> common; ///< may also stand before the verb

    bool has_only_job() const { return verbs.size() == 1 && verbs.front().name.empty(); }
};

inline constexpr const char* kCommonGroup = "Common options";

/// "acme-order run"; the program's name if it has only one job.
std::string call_of(const ProgramInfo& program, const VerbInfo& verb);

/// "pem, der or pkcs7"
std::string alternatives(const std::vector<std::string>& words);

} // namespace acmetool::cli
