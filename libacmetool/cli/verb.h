#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/config.h"
#include "cli/description.h"
#include "cli/program.h"
#include "cli/runtime.h"

namespace acmetool::cli
{

/// A verb's description, and where the values of its options go.
class CliVerb final : public Verb
{
public:
    CliVerb(std::string name, std::string help, CommonOptions& common);

    Verb& option(const std::string& name, std::string& value, const std::string& help) override;
    Verb& option(const std::string& name, std::optional<std::string>& value,
                 const std::string& help) override;
    Verb& option(const std::string& name, std::vector<std::string>& values, const std::string& help) override;
    Verb& option(const std::string& name, base::Milliseconds& value, const std::string& help) override;
    Verb& option(const std::string& name, base::Margin& value, const std::string& help) override;
    Verb& option(const std::string& name, std::optional<base::Margin>& value,
                 const std::string& help) override;
    Verb& option(const std::string& name, unsigned& value, const std::string& help) override;
    Verb& flag(const std::string& name, bool& value, const std::string& help) override;
    Verb& words(const std::string& name, std::vector<std::string>& values, const std::string& help,
                bool required) override;
    Verb& group(const std::string& title) override;
    Verb& choices(std::vector<std::string> values, Reason code) override;
    Verb& suggestions(std::vector<std::string> values) override;
    Verb& example(const std::string& command) override;
    Verb& without(const std::vector<std::string>& common) override;
    Verb& shows(const std::string& word, bool& wanted, const std::string& help) override;
    Verb& own_config(std::string& file) override;
    Verb& action(Action action) override;
    Result<FileOptions> read_options(const std::string& file,
                                     const std::vector<std::string>& not_here) override;
    Verb& heeds(const Verb& other) override;

    /// The common options that it has; called once, after its own.
    void add_common();

    const VerbInfo& info() const { return info_; }
    /// The words of --show besides "flow".
    const std::map<std::string, bool*>& shown() const { return shown_; }
    const Action& act() const { return action_; }
    /// Receives the name of a configuration file that the action reads; null: it is read here.
    std::string* config_goes_to() const { return own_config_; }

    /// Keeps what the command line gave.
    void take(const std::vector<std::pair<std::string, std::string>>& options,
              const std::vector<std::string>& words);
    /// Applies the command line, else the environment, else the configuration file.
    Result<void> settle(const ConfigValues* config, const std::string& file);

private:
    using Texts = std::vector<std::string>;
    using Setter = std::function<Result<void>(const Texts&)>;

    Verb& add(const std::string& name, const std::string& help, const std::string& fallback, Setter set);
    Verb& duration(const std::string& name, std::optional<base::Milliseconds>& value,
                   const std::string& help);
    Verb& count(const std::string& name, unsigned& value, const std::string& help);
    bool lacks(const std::string& name) const;
    /// What the command line gave for an option, here or to the verbs that are heeded; empty: nothing.
    Texts given(const OptionInfo& option) const;
    Result<void> settle_one(std::size_t number, const ConfigValues* config, const std::string& file);
    Result<void> check_choice(const OptionInfo& option, const Texts& texts) const;
    Result<void> check_keys(const ConfigValues& config, const std::string& file) const;

    VerbInfo info_;
    CommonOptions& common_;
    std::vector<Setter> setters_; ///< one for each option of info_
    std::map<std::string, Texts, std::less<>> given_;
    std::vector<const CliVerb*> heeded_;
    std::vector<std::string>* words_ = nullptr;
    std::map<std::string, Reason> codes_; ///< of wrong choices
    std::string group_;                   ///< of the options that follow
    std::vector<std::string> without_;
    Action action_;
    std::string* own_config_ = nullptr;
    std::map<std::string, bool*> shown_;
    std::string show_help_ = "flow: draw the messages on standard error";
};

/// The options of kCommonGroup, which may also stand before the verb.
std::vector<OptionInfo> common_options();

} // namespace acmetool::cli
