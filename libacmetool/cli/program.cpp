#include "cli/program.h"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <exception>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/output.h"
#include "base/text.h"
#include "cli/apart.h"
#include "cli/arguments.h"
#include "cli/config.h"
#include "cli/daemon.h"
#include "cli/exit_code.h"
#include "cli/help.h"
#include "cli/nearest.h"
#include "cli/runtime.h"
#include "cli/verb.h"
#include "store/configured.h"

namespace acmetool::cli
{

struct Program::Impl {
    std::string name;
    std::string help;
    std::vector<std::unique_ptr<CliVerb>> verbs; ///< one without a name if the program has only one job
    CommonOptions common;

    CliVerb& add(std::string verb, std::string description);
    ProgramInfo describe() const;
    /// The verb to run; null if help or the version was printed instead.
    Result<CliVerb*> parse(const std::vector<std::string>& words);
    Result<void> configure(CliVerb& verb);
    Result<void> settle_show(CliVerb& verb);
    int run(CliVerb& verb);
};

CliVerb& Program::Impl::add(std::string verb, std::string description)
{
    verbs.push_back(std::make_unique<CliVerb>(std::move(verb), std::move(description), common));
    return *verbs.back();
}

ProgramInfo Program::Impl::describe() const
{
    ProgramInfo info;
    info.name = name;
    info.help = help;
    for (const auto& verb : verbs)
        info.verbs.push_back(verb->info());
    info.common = common_options();
    return info;
}

Result<CliVerb*> Program::Impl::parse(const std::vector<std::string>& words)
{
    const auto info = describe();
    ACMETOOL_TRY(arguments, parse_arguments(info, words));
    if (arguments.wish == Arguments::Wish::version) {
        ACMETOOL_CHECK(Runtime(name, {}).write(fmt::format("{} {}\n", name, ACMETOOL_VERSION)));
        return nullptr;
    }
    if (arguments.wish == Arguments::Wish::help) {
        const bool json = std::find(words.begin(), words.end(), "--json") != words.end();
        Runtime out{name, {}};
        ACMETOOL_CHECK(
            json ? out.write_document("help", help_members(info, arguments.verb))
                 : out.write(arguments.verb != nullptr ? help_text(info, *arguments.verb) : help_text(info)));
        return nullptr;
    }
    const auto found = std::find_if(verbs.begin(), verbs.end(), [&](const auto& verb) {
        return verb->info().name == arguments.verb->name;
    });
    (*found)->take(arguments.options, arguments.words);
    return found->get();
}

Result<void> Program::Impl::configure(CliVerb& verb)
{
    ACMETOOL_CHECK(verb.settle(nullptr, {})); // --config itself, and usage errors before errors of a file
    std::vector<std::string> words;
    for (const auto& known : verbs)
        if (!known->info().name.empty()) words.push_back(known->info().name);
    if (verb.config_goes_to() != nullptr) {
        *verb.config_goes_to() = common.config;
    } else if (!common.config.empty()) {
        ACMETOOL_TRY(text, store::read_configured(common.config, "--config"));
        ACMETOOL_TRY(config, parse_config(text, common.config, verb.info().name, words));
        ACMETOOL_CHECK(verb.settle(&config, common.config));
    }
    return settle_show(verb);
}

Result<void> Program::Impl::settle_show(CliVerb& verb)
{
    if (common.show.empty()) return {};
    std::vector<std::string> known{"flow"};
    for (const auto& [word, wanted] : verb.shown())
        known.push_back(word);
    for (const auto word : base::split(common.show, ',')) {
        if (word == "flow") {
            common.show_flow = true;
            continue;
        }
        const auto found = verb.shown().find(std::string{word});
        if (found == verb.shown().end())
            return fail(
                Errc::usage,
                fmt::format("--show: \"{}\" must be {}", base::printable(word, 60), alternatives(known)),
                did_you_mean(word, known));
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
    if (has_left_thread()) std::_Exit(status);
    return status;
}

Program::Program(std::string name, const std::string& description) : impl_(std::make_unique<Impl>())
{
    impl_->name = std::move(name);
    impl_->help = description;
}

Program::~Program() = default;

Verb& Program::verb(const std::string& name, const std::string& help)
{
    return impl_->add(name, help);
}

Verb& Program::only_job()
{
    return impl_->add({}, impl_->help);
}

int Program::main(int argc, char** argv)
{
    base::keep_standard_streams();
    forbid_core_dumps();
    watch_signals();
    for (const auto& verb : impl_->verbs)
        verb->add_common();
    const std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
    // A failure before the options are settled is reported in the same way, as a document if --json is given.
    CommonOptions early;
    early.json = std::find(words.begin(), words.end(), "--json") != words.end();
    try {
        const auto verb = impl_->parse(words);
        if (!verb) return Runtime{impl_->name, early}.report(verb.error());
        return *verb == nullptr ? 0 : impl_->run(**verb);
    } catch (const std::exception& error) {
        Error bug;
        bug.message = error.what();
        bug.hint = "this is a bug: please report it with the command and its -vv output";
        return Runtime{impl_->name, early}.report(bug);
    }
}

} // namespace acmetool::cli
