#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "cli/description.h"

namespace acmetool::cli
{

/// What a command line asks for.
struct Arguments {
    enum class Wish { run, help, version };

    Wish wish = Wish::run;
    const VerbInfo* verb = nullptr; ///< null: help for the whole program, or the version
    std::vector<std::pair<std::string, std::string>>
        options; ///< long name and value, in their order; the value of a flag is empty
    std::vector<std::string> words;
};

/// Parses the words after the program's name: `--name VALUE`, `--name=VALUE`, `-n VALUE`, `-nVALUE`, flags of
/// one letter together (`-qv`), `--` before words that begin with a hyphen, and `help [VERB]`. Common options
/// may stand before the verb. The result points into `program`.
///
/// Errors: usage, in words that name the option as the user wrote it; the hint has the nearest option or
/// verb, if there is one.
Result<Arguments> parse_arguments(const ProgramInfo& program, std::span<const std::string> words);

} // namespace acmetool::cli
