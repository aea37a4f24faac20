#include "cli/config.h"

#include <algorithm>

#include <fmt/core.h>
#include <toml++/toml.h>

namespace acmetool::cli
{
namespace
{

tl::unexpected<Error> at(const std::string& file, const toml::source_region& place, std::string_view what)
{
    return fail(Errc::config, fmt::format("{}:{}:{}: {}", file, place.begin.line, place.begin.column, what),
                "configuration files are TOML; see the manual page for the options", "badConfig");
}

/// A scalar as the command line would write it.
std::optional<std::string> text_of(const toml::node& node)
{
    if (const auto* text = node.as_string()) return text->get();
    if (const auto* number = node.as_integer()) return std::to_string(number->get());
    if (const auto* flag = node.as_boolean()) return flag->get() ? "true" : "false";
    return std::nullopt;
}

Result<void> read_table(const toml::table& table, const std::string& file, bool of_verb, ConfigValues& config)
{
    for (const auto& [key, node] : table) {
        if (node.is_table()) continue;
        ConfigValues::Value value;
        value.line = node.source().begin.line;
        value.column = node.source().begin.column;
        value.in_table = of_verb;
        if (const auto* list = node.as_array()) {
            for (const auto& entry : *list) {
                const auto text = text_of(entry);
                if (!text) return at(file, entry.source(), "must be a string, a number, true or false");
                value.texts.push_back(*text);
            }
        } else {
            const auto text = text_of(node);
            if (!text) return at(file, node.source(), "must be a string, a number, true or false");
            value.texts.push_back(*text);
        }
        std::string name{key.str()};
        std::replace(name.begin(), name.end(), '_', '-');
        config.values.insert_or_assign(std::move(name), std::move(value));
    }
    return {};
}

} // namespace

Result<ConfigValues> parse_config(std::string_view text, const std::string& file, std::string_view verb,
                                  const std::vector<std::string>& all_verbs)
{
    ConfigValues config;
    try {
        const toml::table root = toml::parse(text, std::string_view{file});
        for (const auto& [key, node] : root)
            if (node.is_table() &&
                std::find(all_verbs.begin(), all_verbs.end(), key.str()) == all_verbs.end())
                return at(file, node.source(),
                          fmt::format("[{}] is not a command of this program", key.str()));
        ACMETOOL_CHECK(read_table(root, file, false, config));
        if (const auto* section = root[verb].as_table())
            ACMETOOL_CHECK(read_table(*section, file, true, config));
    } catch (const toml::parse_error& error) {
        return at(file, error.source(), error.description());
    }
    return config;
}

} // namespace acmetool::cli
