#include "cli/verb.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdlib>

#include <fmt/core.h>

#include "base/text.h"
#include "cli/nearest.h"
#include "store/configured.h"

namespace acmetool::cli
{
namespace
{

/// They ask for something else than the verb, and only on the command line.
bool is_question(const std::string& option)
{
    return option == "help" || option == "version";
}

std::string environment_name(std::string_view option)
{
    std::string name = "ACMETOOL_";
    for (const char c : option)
        name += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return name;
}

/// "-o,--output FILE" and "Help text; default: none" in parts.
OptionInfo parse_option(const std::string& text, const std::string& help)
{
    constexpr std::string_view kDefault = "; default: ";
    OptionInfo option;
    const auto space = text.find(' ');
    const auto names = text.substr(0, space);
    if (space != std::string::npos) option.argument = text.substr(space + 1);
    const auto dashes = names.find("--");
    option.name = names.substr(dashes + 2);
    if (dashes > 0) option.letter = names[1];
    const auto fallback = help.find(kDefault);
    option.help = help.substr(0, fallback);
    if (fallback != std::string::npos) option.fallback = help.substr(fallback + kDefault.size());
    return option;
}

/// As a user would write it: 30d, not 43200m.
std::string short_form(base::Milliseconds value)
{
    struct Unit {
        long long size;
        const char* name;
    };
    for (const auto& unit : {Unit{86'400'000, "d"}, Unit{3'600'000, "h"}, Unit{60'000, "m"}, Unit{1000, "s"}})
        if (value.count() != 0 && value.count() % unit.size == 0)
            return fmt::format("{}{}", value.count() / unit.size, unit.name);
    return value.count() == 0 ? "0s" : fmt::format("{}ms", value.count());
}

Result<bool> parse_flag(const std::string& text)
{
    if (text == "true" || text == "1" || text == "yes" || text == "on") return true;
    if (text == "false" || text == "0" || text == "no" || text == "off" || text.empty()) return false;
    return fail(Errc::usage, fmt::format("\"{}\" must be true or false", text));
}

Result<unsigned> parse_number(const std::string& text)
{
    unsigned value = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (problem == std::errc{} && end == text.data() + text.size()) return value;
    return fail(Errc::usage, fmt::format("\"{}\" is not a number", base::printable(text, 60)));
}

} // namespace

CliVerb::CliVerb(std::string name, std::string help, CommonOptions& common) : common_(common)
{
    info_.name = std::move(name);
    info_.help = std::move(help);
}

Verb& CliVerb::add(const std::string& name, const std::string& help, const std::string& fallback, Setter set)
{
    auto option = parse_option(name, help);
    if (!fallback.empty()) option.fallback = fallback;
    option.group = group_;
    info_.options.push_back(std::move(option));
    setters_.push_back(std::move(set));
    return *this;
}

Verb& CliVerb::option(const std::string& name, std::string& value, const std::string& help)
{
    return add(name, help, value, [&value](const Texts& texts) -> Result<void> {
        value = texts.back();
        return {};
    });
}

Verb& CliVerb::option(const std::string& name, std::optional<std::string>& value, const std::string& help)
{
    return add(name, help, {}, [&value](const Texts& texts) -> Result<void> {
        value = texts.back();
        return {};
    });
}

Verb& CliVerb::option(const std::string& name, std::vector<std::string>& values, const std::string& help)
{
    add(name, help, {}, [&values](const Texts& texts) -> Result<void> {
        values = texts;
        return {};
    });
    info_.options.back().repeatable = true;
    return *this;
}

Verb& CliVerb::option(const std::string& name, base::Milliseconds& value, const std::string& help)
{
    return add(name, help, short_form(value), [&value](const Texts& texts) -> Result<void> {
        ACMETOOL_TRY(parsed, base::parse_duration(texts.back()));
        value = parsed;
        return {};
    });
}

Verb& CliVerb::duration(const std::string& name, std::optional<base::Milliseconds>& value,
                        const std::string& help)
{
    return add(name, help, {}, [&value](const Texts& texts) -> Result<void> {
        ACMETOOL_TRY(parsed, base::parse_duration(texts.back()));
        value = parsed;
        return {};
    });
}

Verb& CliVerb::option(const std::string& name, base::Margin& value, const std::string& help)
{
    return add(name, help, "1/3", [&value](const Texts& texts) -> Result<void> {
        ACMETOOL_TRY(parsed, base::parse_margin(texts.back()));
        value = parsed;
        return {};
    });
}

Verb& CliVerb::option(const std::string& name, std::optional<base::Margin>& value, const std::string& help)
{
    return add(name, help, {}, [&value](const Texts& texts) -> Result<void> {
        ACMETOOL_TRY(parsed, base::parse_margin(texts.back()));
        value = parsed;
        return {};
    });
}

Verb& CliVerb::option(const std::string& name, unsigned& value, const std::string& help)
{
    return add(name, help, std::to_string(value), [&value](const Texts& texts) -> Result<void> {
        ACMETOOL_TRY(parsed, parse_number(texts.back()));
        value = parsed;
        return {};
    });
}

Verb& CliVerb::flag(const std::string& name, bool& value, const std::string& help)
{
    return add(name, help, {}, [&value](const Texts& texts) -> Result<void> {
        ACMETOOL_TRY(parsed, parse_flag(texts.back()));
        value = parsed;
        return {};
    });
}

Verb& CliVerb::count(const std::string& name, unsigned& value, const std::string& help)
{
    add(name, help, {}, [&value](const Texts& texts) -> Result<void> {
        value = static_cast<unsigned>(texts.size());
        if (texts.size() > 1) return {};
        if (const auto number = parse_number(texts.back())) {
            value = *number;
            return {};
        }
        ACMETOOL_TRY(parsed, parse_flag(texts.back()));
        value = parsed ? 1 : 0;
        return {};
    });
    info_.options.back().repeatable = true;
    return *this;
}

Verb& CliVerb::words(const std::string& name, std::vector<std::string>& values, const std::string& help,
                     bool required)
{
    info_.words = {name, help, required};
    words_ = &values;
    return *this;
}

Verb& CliVerb::group(const std::string& title)
{
    group_ = title;
    return *this;
}

Verb& CliVerb::choices(std::vector<std::string> values, Reason code)
{
    codes_[info_.options.back().name] = std::move(code);
    info_.options.back().choices = std::move(values);
    info_.options.back().only_choices = true;
    return *this;
}

Verb& CliVerb::suggestions(std::vector<std::string> values)
{
    info_.options.back().choices = std::move(values);
    return *this;
}

Verb& CliVerb::example(const std::string& command)
{
    info_.example = command;
    return *this;
}

Verb& CliVerb::without(const std::vector<std::string>& common)
{
    without_.insert(without_.end(), common.begin(), common.end());
    return *this;
}

Verb& CliVerb::shows(const std::string& word, bool& wanted, const std::string& help)
{
    shown_[word] = &wanted;
    show_help_ += "; " + word + ": " + help;
    return *this;
}

Verb& CliVerb::own_config(std::string& file)
{
    own_config_ = &file;
    return *this;
}

Verb& CliVerb::action(Action action)
{
    action_ = std::move(action);
    return *this;
}

bool CliVerb::lacks(const std::string& name) const
{
    return std::find(without_.begin(), without_.end(), name) != without_.end();
}

void CliVerb::add_common()
{
    group_ = kCommonGroup;
    flag("-h,--help", common_.help, "Show this help; with --json as a document");
    flag("--version", common_.version, "Show the version");
    option("--config FILE", common_.config,
           own_config_ != nullptr ? "Configuration of the relay" : "Read options from this TOML file");
    flag("--json", common_.json, "Print the result as a JSON document");
    option("-o,--output FILE", common_.output, "Write the result to this file, atomically");
    flag("-q,--quiet", common_.quiet, "Only print errors");
    count("-v,--verbose", common_.verbose, "Print each step; -vv also prints each request");
    option("--log-format FORMAT", common_.log_format,
           "Format of the log: text, or json for one document per line");
    choices({"text", "json"}, {});
    if (!lacks("timeout"))
        duration("--timeout DURATION", common_.timeout, "Give up, or report \"not yet\", after this time");
    if (!lacks("ca-file"))
        option("--ca-file FILE", common_.ca_file, "Trust anchors (PEM) instead of the system's");
    if (!lacks("trace"))
        option("--trace FILE", common_.trace, "Append every protocol message to this file (JSON Lines)");
    if (!lacks("show")) {
        option("--show WORDS", common_.show, show_help_);
        std::vector<std::string> words{"flow"};
        for (const auto& [word, wanted] : shown_)
            words.push_back(word);
        suggestions(std::move(words));
    }
    group_.clear();
}

std::vector<OptionInfo> common_options()
{
    CommonOptions ignored;
    CliVerb verb{{}, {}, ignored};
    verb.add_common();
    return verb.info().options;
}

void CliVerb::take(const std::vector<std::pair<std::string, std::string>>& options,
                   const std::vector<std::string>& words)
{
    for (const auto& [name, value] : options) {
        const auto option = std::find_if(info_.options.begin(), info_.options.end(),
                                         [&wanted = name](const auto& o) { return o.name == wanted; });
        given_[name].push_back(option->argument.empty() ? "true" : value);
    }
    if (words_ != nullptr) *words_ = words;
}

Result<void> CliVerb::check_choice(const OptionInfo& option, const Texts& texts) const
{
    if (!option.only_choices) return {};
    for (const auto& text : texts)
        if (std::find(option.choices.begin(), option.choices.end(), text) == option.choices.end())
            return fail(
                Errc::usage,
                fmt::format("\"{}\" must be {}", base::printable(text, 60), alternatives(option.choices)),
                did_you_mean(text, option.choices), codes_.at(option.name));
    return {};
}

Result<void> CliVerb::check_keys(const ConfigValues& config, const std::string& file) const
{
    std::vector<std::string> known;
    for (const auto& option : info_.options)
        if (!is_question(option.name)) known.push_back(option.name);
    for (const auto& [name, value] : config.values) {
        if (std::find(known.begin(), known.end(), name) != known.end()) continue;
        // Outside of tables it is also for the other commands, which use it.
        if (!value.in_table && !info_.name.empty() && lacks(name)) continue;
        return fail(Errc::config,
                    fmt::format("{}:{}:{}: unknown key \"{}\"", file, value.line, value.column,
                                base::printable(name, 60)),
                    did_you_mean(name, known, "see the manual page for the options"), "unknownKey");
    }
    return {};
}

CliVerb::Texts CliVerb::given(const OptionInfo& option) const
{
    if (const auto found = given_.find(option.name); found != given_.end()) return found->second;
    if (option.group == kCommonGroup) return {}; // --output of the other verb is its own
    for (const auto* other : heeded_)
        if (const auto found = other->given_.find(option.name); found != other->given_.end())
            return found->second;
    return {};
}

Result<void> CliVerb::settle_one(std::size_t number, const ConfigValues* config, const std::string& file)
{
    const auto& option = info_.options[number];
    auto texts = given(option);
    std::string source = "--" + option.name;
    Errc blame = Errc::usage;
    if (texts.empty()) {
        const auto variable = environment_name(option.name);
        if (const char* value = std::getenv(variable.c_str()); value != nullptr && *value != '\0') {
            if (option.repeatable)
                for (const auto part : base::split(value, ','))
                    texts.emplace_back(part);
            else
                texts = {value};
            source = variable;
        }
    }
    if (texts.empty() && config != nullptr)
        if (const auto found = config->values.find(option.name); found != config->values.end()) {
            texts = found->second.texts;
            source = fmt::format("{}:{}:{}: {}", file, found->second.line, found->second.column, option.name);
            blame = Errc::config;
            if (texts.size() > 1 && !option.repeatable)
                return fail(Errc::config, source + ": must be one value, not a list", {}, "badConfig");
        }
    if (texts.empty()) return {};
    auto done = check_choice(option, texts);
    if (done) done = setters_[number](texts);
    if (done) return {};
    auto error = with_context(std::move(done).error(), source);
    error.code = blame;
    return fail(std::move(error));
}

Result<void> CliVerb::settle(const ConfigValues* config, const std::string& file)
{
    // --json and --log-format first: they also hold for errors in the others.
    for (const bool common : {true, false})
        for (std::size_t i = 0; i < info_.options.size(); ++i)
            if ((info_.options[i].group == kCommonGroup) == common && !is_question(info_.options[i].name))
                ACMETOOL_CHECK(settle_one(i, config, file));
    return config == nullptr ? Result<void>{} : check_keys(*config, file);
}

Verb& CliVerb::heeds(const Verb& other)
{
    heeded_.push_back(&dynamic_cast<const CliVerb&>(other));
    return *this;
}

Result<FileOptions> CliVerb::read_options(const std::string& file, const std::vector<std::string>& not_here)
{
    ACMETOOL_TRY(text, store::read_configured(file));
    ACMETOOL_TRY(config, parse_config(text, file, info_.name, {}));
    for (const auto& [name, value] : config.values)
        if (std::find(not_here.begin(), not_here.end(), name) != not_here.end())
            return fail(Errc::config,
                        fmt::format("{}:{}:{}: \"{}\" applies to the whole run", file, value.line,
                                    value.column, name),
                        "set it on the command line, in the environment or in the --config file", "notHere");
    const CommonOptions before = common_;
    common_.output.clear();
    const auto settled = settle(&config, file);
    FileOptions given{common_.output, common_.ca_file};
    common_ = before;
    if (!settled) return fail(settled.error());
    return given;
}

} // namespace acmetool::cli
