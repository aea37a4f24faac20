#include "cli/arguments.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include <CLI/CLI.hpp>
#include <fmt/core.h>

#include "base/text.h"
#include "cli/nearest.h"

namespace acmetool::cli
{
namespace
{

using Wish = Arguments::Wish;

constexpr std::size_t kShown = 60; ///< octets of a word in a message

bool is_option(std::string_view word)
{
    return word.size() > 1 && word.front() == '-';
}

const OptionInfo* find_name(const std::vector<OptionInfo>& options, std::string_view name)
{
    const auto found = std::find_if(options.begin(), options.end(),
                                    [&](const OptionInfo& option) { return option.name == name; });
    return found == options.end() ? nullptr : &*found;
}

const OptionInfo* find_letter(const std::vector<OptionInfo>& options, char letter)
{
    const auto found = std::find_if(options.begin(), options.end(),
                                    [&](const OptionInfo& option) { return option.letter == letter; });
    return found == options.end() ? nullptr : &*found;
}

const VerbInfo* find_verb(const ProgramInfo& program, std::string_view name)
{
    const auto found = std::find_if(program.verbs.begin(), program.verbs.end(),
                                    [&](const VerbInfo& verb) { return verb.name == name; });
    return found == program.verbs.end() ? nullptr : &*found;
}

std::string see_help(const ProgramInfo& program, const VerbInfo* verb, std::string_view of)
{
    return fmt::format("{} --help lists the {}", verb != nullptr ? call_of(program, *verb) : program.name,
                       of);
}

tl::unexpected<Error> unknown_verb(const ProgramInfo& program, std::string_view given)
{
    std::vector<std::string> known;
    for (const auto& verb : program.verbs)
        known.push_back(verb.name);
    return fail(Errc::usage,
                fmt::format("\"{}\" is not a command of {}", base::printable(given, kShown), program.name),
                did_you_mean(given, known, see_help(program, nullptr, "commands")), "unknownVerb");
}

/// The part of a command line before the verb, or with it, in the hands of CLI11. Its messages are not shown.
class Part
{
public:
    /// `verb` is null before the verb.
    Part(const ProgramInfo& program, const VerbInfo* verb);

    Result<Arguments> parse(std::span<const std::string> words);
    std::size_t first_word(std::span<const std::string> words) const;

private:
    const std::vector<OptionInfo>& options() const
    {
        return verb_ != nullptr ? verb_->options : program_.common;
    }

    /// The verb, in front of a message.
    std::string place() const
    {
        return verb_ == nullptr || verb_->name.empty() ? std::string{} : verb_->name + ": ";
    }
    const OptionInfo* spelled(std::string_view word) const;
    bool wants_next(std::string_view word) const;
    bool is_known(std::string_view word) const;
    std::vector<std::string> prepared(std::span<const std::string> words) const;
    std::optional<Error> fault(std::span<const std::string> words) const;
    tl::unexpected<Error> unknown(std::string_view spelling, std::string_view name) const;
    tl::unexpected<Error> unexpected_word(std::string_view word) const;
    Result<Arguments> collected() const;

    const ProgramInfo& program_;
    const VerbInfo* verb_;
    CLI::App app_;
    std::map<const CLI::Option*, const OptionInfo*> known_;
};

Part::Part(const ProgramInfo& program, const VerbInfo* verb) : program_(program), verb_(verb)
{
    app_.set_help_flag(); // ours says more
    app_.allow_extras();  // words, and unknown options, which we name with the nearest
    for (const auto& option : options()) {
        const auto names =
            (option.letter == '\0' ? std::string{} : fmt::format("-{},", option.letter)) + "--" + option.name;
        auto* const added =
            option.argument.empty()
                ? app_.add_flag(names)->disable_flag_override()
                : app_.add_option(names)->expected(1)->allow_extra_args(false)->multi_option_policy(
                      CLI::MultiOptionPolicy::TakeAll);
        known_[added] = &option;
    }
}

/// The option that a word is, with a value after "=" or without one; of `-qo` the last one. Null: none.
const OptionInfo* Part::spelled(std::string_view word) const
{
    if (!is_option(word)) return nullptr;
    if (word.starts_with("--")) return find_name(options(), word.substr(2, word.find('=') - 2));
    for (const char letter : word.substr(1, word.size() - 2)) {
        const auto* const option = find_letter(options(), letter);
        if (option == nullptr || !option->argument.empty()) return nullptr; // the rest is its value
    }
    return find_letter(options(), word.back());
}

/// Whether the next word is this one's value.
bool Part::wants_next(std::string_view word) const
{
    const auto* const option = spelled(word);
    return option != nullptr && !option->argument.empty() && word.find('=') == std::string_view::npos;
}

/// Whether a word is an option rather than a value. With one hyphen it is a wrong value, unless there is such
/// a letter.
bool Part::is_known(std::string_view word) const
{
    return word.starts_with("--") || (is_option(word) && find_letter(options(), word[1]) != nullptr);
}

/// As CLI11 understands it: it takes "--name=" for a name without value.
std::vector<std::string> Part::prepared(std::span<const std::string> words) const
{
    std::vector<std::string> result;
    bool only_words = false;
    for (const auto& word : words) {
        only_words = only_words || word == "--";
        const auto* const option = word.starts_with("--") ? spelled(word) : nullptr;
        const bool is_empty = word.ends_with('=') && word.find('=') + 1 == word.size();
        if (!only_words && is_empty && option != nullptr && !option->argument.empty()) {
            result.push_back(word.substr(0, word.size() - 1));
            result.emplace_back();
        } else {
            result.push_back(word);
        }
    }
    return result;
}

/// What is wrong with a word whose option is known, or nearly so: CLI11 would take the next option for a
/// value.
std::optional<Error> Part::fault(std::span<const std::string> words) const
{
    for (std::size_t i = 0; i < words.size() && words[i] != "--"; ++i) {
        const std::string_view word = words[i];
        if (!is_option(word)) continue;
        const bool is_long = word.starts_with("--");
        const auto equals = word.find('=');
        // "-output" is more likely a long option that lacks a hyphen than "-o utput".
        const auto name = word.substr(1, equals - 1);
        if (!is_long && name.size() > 1 && find_name(options(), name) != nullptr)
            return unknown(word, name).value();
        const auto* const option = spelled(word);
        if (option == nullptr) continue;
        const auto spelling = is_long ? std::string{word.substr(0, equals)} : fmt::format("-{}", word.back());
        if (option->argument.empty() && equals != std::string_view::npos)
            return fail(Errc::usage, spelling + " is a switch and takes no value", "write only " + spelling)
                .value();
        if (!wants_next(word)) continue;
        if (++i < words.size() && !is_known(words[i])) continue;
        return fail(Errc::usage, fmt::format("{} needs a value: {} {}", spelling, spelling, option->argument),
                    i == words.size() ? std::string{}
                                      : fmt::format("a value that begins with a hyphen is written {}{}VALUE",
                                                    spelling, is_long ? "=" : ""))
            .value();
    }
    return std::nullopt;
}

tl::unexpected<Error> Part::unknown(std::string_view spelling, std::string_view name) const
{
    const auto message = place() + "unknown option " + base::printable(spelling, kShown);
    if (verb_ == nullptr && !program_.has_only_job() &&
        std::any_of(program_.verbs.begin(), program_.verbs.end(),
                    [&](const VerbInfo& verb) { return find_name(verb.options, name) != nullptr; }))
        return fail(Errc::usage, message,
                    fmt::format("write the command first: {} COMMAND {}", program_.name, spelling));
    std::vector<std::string> owners;
    if (find_name(options(), name) == nullptr) // it is there, with two hyphens
        for (const auto& verb : program_.verbs)
            if (find_name(verb.options, name) != nullptr) owners.push_back(verb.name);
    if (!owners.empty()) return fail(Errc::usage, message, "it is an option of: " + base::join(owners, ", "));
    if (find_name(program_.common, name) != nullptr && find_name(options(), name) == nullptr)
        return fail(Errc::usage, message, "it would have no effect here: nothing is sent");
    std::vector<std::string> known;
    for (const auto& option : options())
        known.push_back(option.name);
    const auto meant = nearest(name, known);
    return fail(Errc::usage, message,
                meant.empty() ? see_help(program_, verb_, "options")
                              : fmt::format("did you mean \"--{}\"?", meant));
}

tl::unexpected<Error> Part::unexpected_word(std::string_view word) const
{
    const bool reads = verb_ != nullptr && verb_->example.find('<') != std::string::npos;
    return fail(Errc::usage,
                fmt::format("{}unexpected argument \"{}\"", place(), base::printable(word, kShown)),
                reads ? "the input comes from standard input: " + verb_->example
                      : see_help(program_, verb_, "options"));
}

/// In the order of the command line.
Result<Arguments> Part::collected() const
{
    Arguments result;
    result.verb = verb_;
    std::map<const CLI::Option*, std::size_t> taken;
    for (const auto* const option : app_.parse_order()) {
        const auto& info = *known_.at(option);
        if (info.name == "help" || info.name == "version")
            result.wish = info.name == "help" ? Wish::help : Wish::version;
        if (result.wish != Wish::run) return result;
        const auto& values = option->results();
        result.options.emplace_back(info.name,
                                    info.argument.empty() ? std::string{} : values.at(taken[option]++));
    }
    // What CLI11 does not know, with the first "--".
    bool only_words = false;
    for (const auto& word : app_.remaining()) {
        if (!only_words && is_option(word)) {
            only_words = word == "--";
            if (only_words) continue;
            const auto name = std::string_view{word}.substr(0, word.find('='));
            return unknown(word.starts_with("--") ? name : std::string_view{word},
                           name.substr(word.starts_with("--") ? 2 : 1));
        }
        if (verb_ == nullptr || !verb_->words) return unexpected_word(word);
        result.words.push_back(word);
    }
    if (verb_ != nullptr && verb_->words && verb_->words->required && result.words.empty())
        return fail(Errc::usage, place() + verb_->words->name + " is required",
                    "for example: " + verb_->example);
    return result;
}

Result<Arguments> Part::parse(std::span<const std::string> words)
{
    if (auto error = fault(words)) return fail(std::move(*error));
    auto reversed = prepared(words);
    std::reverse(reversed.begin(), reversed.end());
    try {
        app_.parse(std::move(reversed));
    } catch (const CLI::ParseError&) {
        return fail(Errc::usage, place() + "the options cannot be read",
                    see_help(program_, verb_, "options"));
    }
    return collected();
}

/// The position of the first word that is neither an option nor the value of one.
std::size_t Part::first_word(std::span<const std::string> words) const
{
    std::size_t i = 0;
    while (i < words.size() && is_option(words[i]) && words[i] != "--")
        i += wants_next(words[i]) ? 2 : 1;
    return std::min(i, words.size());
}

Result<Arguments> help_command(const ProgramInfo& program, std::span<const std::string> topic)
{
    Arguments result;
    result.wish = Wish::help;
    if (program.has_only_job()) result.verb = &program.verbs.front();
    for (const auto& word : topic) {
        if (is_option(word)) continue;
        result.verb = program.has_only_job() ? result.verb : find_verb(program, word);
        if (result.verb == nullptr) return unknown_verb(program, word);
    }
    return result;
}

} // namespace

Result<Arguments> parse_arguments(const ProgramInfo& program, std::span<const std::string> words)
{
    if (program.has_only_job()) {
        const auto& job = program.verbs.front();
        if (!words.empty() && words.front() == "help" && !job.words)
            return help_command(program, words.subspan(1));
        return Part{program, &job}.parse(words);
    }
    Part common{program, nullptr};
    const auto at = common.first_word(words); // the verb
    const auto before = words.first(at);
    // Faults before the verb, and --help or --version there.
    ACMETOOL_TRY(general, common.parse(before));
    if (general.wish != Wish::run) return general;
    if (at == words.size())
        return fail(Errc::usage, "no command given", see_help(program, nullptr, "commands"), "noVerb");
    const auto* verb = find_verb(program, words[at]);
    if (verb == nullptr && words[at] == "help") return help_command(program, words.subspan(at + 1));
    if (verb == nullptr) return unknown_verb(program, words[at]);
    std::vector<std::string> all{before.begin(), before.end()};
    all.insert(all.end(), words.begin() + static_cast<std::ptrdiff_t>(at) + 1, words.end());
    return Part{program, verb}.parse(all);
}

} // namespace acmetool::cli
