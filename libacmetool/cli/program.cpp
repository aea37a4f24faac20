#include "cli/program.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <map>

#include <CLI/CLI.hpp>
#include <fmt/core.h>

#include "base/output.h"
#include "base/text.h"
#include "cli/config.h"
#include "cli/exit_code.h"
#include "cli/nearest.h"
#include "cli/runtime.h"
#include "store/configured.h"

namespace acmetool::cli
{
namespace
{

using Setter = std::function<Result<void>(const std::vector<std::string>&)>;

std::string environment_name(std::string_view option)
{
    std::string name = "ACMETOOL_";
    for (const char c : option)
        name += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return name;
}

constexpr std::size_t kHelpWidth = 80;
constexpr std::size_t kHelpIndent = 34; ///< column of the descriptions

/// An option's name as the program gives it, in parts.
struct Spelling {
    std::string names;    ///< "-o,--output FILE"
    std::string longest;  ///< "output"
    std::string argument; ///< "FILE"; empty for a flag
};

Spelling parse_spelling(const std::string& text)
{
    Spelling result;
    const auto space = text.find(' ');
    result.names = text.substr(0, space);
    if (space != std::string::npos) result.argument = text.substr(space + 1);
    const auto dashes = result.names.find("--");
    result.longest = dashes == std::string::npos ? result.names : result.names.substr(dashes + 2);
    return result;
}

/// Breaks a description at spaces so that it fits beside the options.
std::string wrap_description(const std::string& text)
{
    constexpr std::size_t room = kHelpWidth - kHelpIndent;
    std::string wrapped;
    std::size_t used = 0;
    for (const auto word : base::split(text, ' ')) {
        if (used > 0 && used + 1 + word.size() > room) {
            wrapped += '\n';
            used = 0;
        } else if (used > 0) {
            wrapped += ' ';
            ++used;
        }
        wrapped += word;
        used += word.size();
    }
    return wrapped;
}

/// CLI11's message with a lower-case first letter, like our messages, unless it begins with a metavariable.
std::string lower_first(std::string message)
{
    const bool metavariable = message.size() > 1 && std::isupper(static_cast<unsigned char>(message[1])) != 0;
    if (!metavariable && !message.empty())
        message[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(message[0])));
    return message;
}

Result<bool> parse_flag(const std::string& text)
{
    if (text == "true" || text == "1" || text == "yes" || text == "on") return true;
    if (text == "false" || text == "0" || text == "no" || text == "off" || text.empty()) return false;
    return fail(Errc::usage, fmt::format("\"{}\" must be true or false", text));
}

/// An option of one verb with the source and the target of its values.
struct Option {
    std::string name;
    CLI::Option* parsed = nullptr;
    std::vector<std::string> raw; ///< from the command line; empty for flags
    bool is_flag = false;
    bool is_list = false;
    Setter set;
};

class CliVerb final : public Verb
{
public:
    CliVerb(CLI::App& app, CommonOptions& common) : app_(app), common_(common) {}

    Verb& option(const std::string& name, std::string& value, const std::string& help) override
    {
        return add(name, help, value, [&value](const auto& texts) -> Result<void> {
            value = texts.back();
            return {};
        });
    }
    Verb& option(const std::string& name, std::optional<std::string>& value, const std::string& help) override
    {
        return add(name, help, {}, [&value](const auto& texts) -> Result<void> {
            value = texts.back();
            return {};
        });
    }
    Verb& option(const std::string& name, std::vector<std::string>& values, const std::string& help) override
    {
        add(name, help, {}, [&values](const auto& texts) -> Result<void> {
            values = texts;
            return {};
        });
        options_.back()->is_list = true;
        return *this;
    }
    Verb& option(const std::string& name, base::Milliseconds& value, const std::string& help) override
    {
        return add(name, help, short_form(value), [&value](const auto& texts) -> Result<void> {
            ACMETOOL_TRY(parsed, base::parse_duration(texts.back()));
            value = parsed;
            return {};
        });
    }
    Verb& option(const std::string& name, base::Margin& value, const std::string& help) override
    {
        return margin(name, help, "1/3", value);
    }
    Verb& option(const std::string& name, std::optional<base::Margin>& value,
                 const std::string& help) override
    {
        return margin(name, help, "", value);
    }
    Verb& option(const std::string& name, unsigned& value, const std::string& help) override
    {
        return add(name, help, std::to_string(value), [&value](const auto& texts) -> Result<void> {
            const auto& text = texts.back();
            const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
            if (problem == std::errc{} && end == text.data() + text.size()) return {};
            return fail(Errc::usage, fmt::format("\"{}\" is not a number", text));
        });
    }
    Verb& flag(const std::string& name, bool& value, const std::string& help) override
    {
        options_.push_back(std::make_unique<Option>());
        auto& option = *options_.back();
        option.name = parse_spelling(name).longest;
        option.is_flag = true;
        const auto description =
            wrap_description(help); // add_flag() accepts only a named string as description
        option.parsed = app_.add_flag(name, description);
        option.set = [&value](const auto& texts) -> Result<void> {
            ACMETOOL_TRY(parsed, parse_flag(texts.back()));
            value = parsed;
            return {};
        };
        return *this;
    }
    Verb& words(const std::string& name, std::vector<std::string>& values, const std::string& help,
                bool required) override
    {
        auto* option = app_.add_option(name, values, wrap_description(help))->option_text("...");
        if (required) option->required();
        return *this;
    }
    Verb& shows(const std::string& word, bool& wanted, const std::string& help) override
    {
        shown_[word] = &wanted;
        show_help_ += "; " + word + ": " + help;
        return *this;
    }
    Verb& own_config(std::string& file) override
    {
        own_config_ = &file;
        return *this;
    }
    Verb& action(Action action) override
    {
        action_ = std::move(action);
        return *this;
    }

    void duration(const std::string& name, std::optional<base::Milliseconds>& value, const std::string& help)
    {
        add(name, help, {}, [&value](const auto& texts) -> Result<void> {
            ACMETOOL_TRY(parsed, base::parse_duration(texts.back()));
            value = parsed;
            return {};
        });
    }

    /// The words of --show besides "flow", and their help.
    const std::map<std::string, bool*>& shown() const { return shown_; }
    const std::string& show_help() const { return show_help_; }

    CLI::App& app() { return app_; }
    const Action& act() const { return action_; }
    /// Receives the name of a configuration file that the action reads; null: it is read here.
    std::string* config_goes_to() const { return own_config_; }

    Result<FileOptions> read_options(const std::string& file,
                                     const std::vector<std::string>& not_here) override;

    /// Applies the command line, else the environment, else the configuration file.
    Result<void> settle(const ConfigValues* config, const std::string& file);

private:
    static std::string short_form(base::Milliseconds value)
    {
        return value.count() % 1000 != 0     ? fmt::format("{}ms", value.count())
               : value.count() % 60'000 != 0 ? fmt::format("{}s", value.count() / 1000)
                                             : fmt::format("{}m", value.count() / 60'000);
    }

    template <class Value>
    Verb& margin(const std::string& name, const std::string& help, const std::string& fallback, Value& value)
    {
        return add(name, help, fallback, [&value](const auto& texts) -> Result<void> {
            ACMETOOL_TRY(parsed, base::parse_margin(texts.back()));
            value = parsed;
            return {};
        });
    }

    Verb& add(const std::string& name, const std::string& help, const std::string& fallback, Setter set)
    {
        options_.push_back(std::make_unique<Option>());
        auto& option = *options_.back();
        const auto spelling = parse_spelling(name);
        option.name = spelling.longest;
        option.set = std::move(set);
        const auto description = fallback.empty() ? help : fmt::format("{} (default: {})", help, fallback);
        option.parsed = app_.add_option(spelling.names, option.raw, wrap_description(description))
                            ->option_text(spelling.argument)
                            ->allow_extra_args(false);
        return *this;
    }

    CLI::App& app_;
    CommonOptions& common_;
    std::vector<std::unique_ptr<Option>> options_;
    Action action_;
    std::string* own_config_ = nullptr;
    std::map<std::string, bool*> shown_;
    std::string show_help_ = "flow: draw the messages on standard error";
};

Result<void> CliVerb::settle(const ConfigValues* config, const std::string& file)
{
    for (const auto& option : options_) {
        std::vector<std::string> texts = option->raw;
        std::string source = "--" + option->name;
        Errc blame = Errc::usage;
        if (option->is_flag && option->parsed->count() > 0) texts = {"true"};
        if (texts.empty()) {
            const auto variable = environment_name(option->name);
            if (const char* value = std::getenv(variable.c_str()); value != nullptr && *value != '\0') {
                if (option->is_list)
                    for (const auto part : base::split(value, ','))
                        texts.emplace_back(part);
                else
                    texts = {value};
                source = variable;
            }
        }
        if (texts.empty() && config != nullptr)
            if (const auto found = config->values.find(option->name); found != config->values.end()) {
                texts = found->second.texts;
                source =
                    fmt::format("{}:{}:{}: {}", file, found->second.line, found->second.column, option->name);
                blame = Errc::config;
                if (texts.size() > 1 && !option->is_list)
                    return fail(Errc::config, source + ": must be one value, not a list", {}, "badConfig");
            }
        if (texts.empty()) continue;
        if (auto done = option->set(texts); !done) {
            auto error = with_context(std::move(done).error(), source);
            error.code = blame;
            return fail(std::move(error));
        }
    }
    if (config == nullptr) return {};
    for (const auto& [name, value] : config->values) {
        const bool known = std::any_of(options_.begin(), options_.end(),
                                       [&wanted = name](const auto& o) { return o->name == wanted; });
        if (!known)
            return fail(Errc::config,
                        fmt::format("{}:{}:{}: unknown key \"{}\"", file, value.line, value.column, name),
                        "see the manual page for the options", "unknownKey");
    }
    return {};
}

Result<FileOptions> CliVerb::read_options(const std::string& file, const std::vector<std::string>& not_here)
{
    ACMETOOL_TRY(text, store::read_configured(file));
    ACMETOOL_TRY(config, parse_config(text, file, app_.get_name(), {}));
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

} // namespace

struct Program::Impl {
    std::string name;
    CLI::App app;
    std::map<std::string, std::unique_ptr<CliVerb>> verbs;
    std::unique_ptr<CliVerb> only;
    CommonOptions common;
    bool version = false;

    Impl(std::string program, const std::string& description)
        : name(std::move(program)), app(description, name)
    {
        app.get_formatter()->column_width(kHelpIndent);
        app.set_help_flag("-h,--help", "Show this help");
        app.add_flag("--version", version, "Show the version");
        app.footer("Exit status: 0 done, 64 usage, 65 bad input, 69 unavailable, 75 not yet,\n"
                   "77 refused; acmetool-exit-codes(7) lists all. Manual: man " +
                   name);
    }

    void add_common(CliVerb& verb);
    Result<CliVerb*> parse(int argc, char** argv, bool& done);
    Result<void> configure(CliVerb& verb);
    Result<void> settle_show(CliVerb& verb);
    int run(CliVerb& verb);
};

void Program::Impl::add_common(CliVerb& verb)
{
    verb.option("--config FILE", common.config, "Read options from this TOML file");
    verb.flag("--json", common.json, "Print the result as a JSON document");
    verb.option("-o,--output FILE", common.output, "Write the result to this file, atomically");
    verb.flag("-q,--quiet", common.quiet, "Only print errors");
    verb.option("--log-format FORMAT", common.log_format,
                "Format of the log: text, or json for one document per line");
    verb.option("--ca-file FILE", common.ca_file, "Trust anchors (PEM) instead of the system's");
    verb.option("--trace FILE", common.trace, "Append every protocol message to this file (JSON Lines)");
    verb.option("--show WORDS", common.show, verb.show_help());
}

Result<CliVerb*> Program::Impl::parse(int argc, char** argv, bool& done)
{
    if (!only && argc > 1 && argv[1][0] != '-' && !verbs.contains(argv[1])) {
        const std::string given = argv[1];
        std::vector<std::string> known;
        for (const auto& [word, verb] : verbs)
            known.push_back(word);
        const auto meant = nearest(given, known);
        return fail(Errc::usage, fmt::format("\"{}\" is not a verb of {}", base::printable(given, 60), name),
                    !meant.empty() ? fmt::format("did you mean \"{}\"?", meant)
                                   : fmt::format("{} --help lists the verbs", name),
                    "unknownVerb");
    }
    try {
        app.parse(argc, argv);
    } catch (const CLI::CallForHelp&) {
        done = true;
        ACMETOOL_CHECK(Runtime(name, {}).write(app.help()));
        return nullptr;
    } catch (const CLI::ParseError& error) {
        return fail(Errc::usage, lower_first(error.what()), fmt::format("{} --help lists the options", name));
    }
    if (version) {
        done = true;
        ACMETOOL_CHECK(Runtime(name, {}).write(fmt::format("{} {}\n", name, ACMETOOL_VERSION)));
        return nullptr;
    }
    if (only) return only.get();
    for (const auto& [word, verb] : verbs)
        if (verb->app().parsed()) return verb.get();
    return fail(Errc::usage, "no verb given", fmt::format("{} --help lists the verbs", name), "noVerb");
}

Result<void> Program::Impl::configure(CliVerb& verb)
{
    ACMETOOL_CHECK(verb.settle(nullptr, {})); // --config itself, and usage errors before errors of a file
    std::vector<std::string> words;
    for (const auto& [word, known] : verbs)
        words.push_back(word);
    if (verb.config_goes_to() != nullptr) {
        *verb.config_goes_to() = common.config;
    } else if (!common.config.empty()) {
        ACMETOOL_TRY(text, store::read_configured(common.config, "--config"));
        ACMETOOL_TRY(config, parse_config(text, common.config, verb.app().get_name(), words));
        ACMETOOL_CHECK(verb.settle(&config, common.config));
    }
    if (common.log_format != "text" && common.log_format != "json")
        return fail(Errc::usage, fmt::format("--log-format: \"{}\" must be text or json", common.log_format));
    return settle_show(verb);
}

Result<void> Program::Impl::settle_show(CliVerb& verb)
{
    if (common.show.empty()) return {};
    for (const auto word : base::split(common.show, ',')) {
        if (word == "flow") {
            common.show_flow = true;
            continue;
        }
        const auto found = verb.shown().find(std::string{word});
        if (found == verb.shown().end())
            return fail(Errc::usage, fmt::format("--show: \"{}\" is not a known word", word),
                        verb.show_help());
        *found->second = true;
    }
    return {};
}

int Program::Impl::run(CliVerb& verb)
{
    int status = 0;
    bool by_signal = false;
    {
        const auto configured = configure(verb);
        Runtime runtime{name, common};
        auto done = configured ? runtime.check_output() : configured;
        if (done) done = verb.act()(runtime);
        if (done) {
            const auto finished = runtime.finish();
            status = finished ? *finished : runtime.report(finished.error());
        } else {
            status = runtime.report(done.error());
            by_signal = done.error().code == Errc::interrupted && caught_signal() != 0;
        }
    } // destroying `runtime` flushes its output
    if (by_signal) {
        // The parent must see that a signal ended us, so that a shell loop ends.
        std::signal(caught_signal(), SIG_DFL);
        std::raise(caught_signal());
    }
    return status;
}

Program::Program(std::string name, const std::string& description)
    : impl_(std::make_unique<Impl>(std::move(name), description))
{
}

Program::~Program() = default;

Verb& Program::verb(const std::string& name, const std::string& help)
{
    auto* app = impl_->app.add_subcommand(name, wrap_description(help));
    app->get_formatter()->column_width(kHelpIndent);
    auto& verb = impl_->verbs[name];
    verb = std::make_unique<CliVerb>(*app, impl_->common);
    return *verb;
}

Verb& Program::only_job()
{
    impl_->only = std::make_unique<CliVerb>(impl_->app, impl_->common);
    return *impl_->only;
}

int Program::main(int argc, char** argv)
{
    base::keep_standard_streams();
    watch_signals();
    const auto each = [&](auto&& call) {
        if (impl_->only) call(*impl_->only);
        for (auto& [word, verb] : impl_->verbs)
            call(*verb);
    };
    each([&](CliVerb& verb) {
        impl_->add_common(verb);
        verb.app().add_flag("-v,--verbose", impl_->common.verbose,
                            "Print each step; -vv also prints each request");
        verb.duration("--timeout DURATION", impl_->common.timeout,
                      "Give up, or report \"not yet\", after this time");
    });
    // A failure before the options are settled is reported in the same way, as a document if --json is given.
    const bool wants_json =
        std::any_of(argv, argv + argc, [](const char* word) { return std::string_view{word} == "--json"; });
    CommonOptions early;
    early.json = wants_json;
    try {
        bool done = false;
        const auto verb = impl_->parse(argc, argv, done);
        if (!verb) return Runtime{impl_->name, early}.report(verb.error());
        if (done) return 0;
        return impl_->run(**verb);
    } catch (const std::exception& error) {
        Error bug;
        bug.message = error.what();
        bug.hint = "this is a bug: please report it with the command and its -vv output";
        return Runtime{impl_->name, early}.report(bug);
    }
}

} // namespace acmetool::cli
