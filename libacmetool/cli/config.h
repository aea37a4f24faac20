#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace acmetool::cli
{

/// The values of a configuration file for one verb: option name (with hyphens) to its values.
struct ConfigValues {
    struct Value {
        std::vector<std::string> texts;
        unsigned line = 0;
        unsigned column = 0;
        bool in_table = false; ///< of the verb, rather than of the whole file
    };
    std::map<std::string, Value, std::less<>> values;
};

/// Parses TOML: top-level keys apply to every verb, those of the table [verb] only to that verb, with
/// precedence. Tables of other verbs are skipped. Errors: config, with line and column.
Result<ConfigValues> parse_config(std::string_view text, const std::string& file, std::string_view verb,
                                  const std::vector<std::string>& all_verbs);

} // namespace acmetool::cli
