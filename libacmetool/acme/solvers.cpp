#include "acme/solvers.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>

#include <fmt/core.h>

#include "acme/fulfil.h"
#include "acme/persistent_record.h"
#include "acme/standalone.h"
#include "base/base64url.h"
#include "base/process.h"
#include "base/text.h"
#include "dns/update.h"
#include "dns/zone_text.h"
#include "net/endpoint.h"
#include "store/atomic_file.h"
#include "store/configured.h"

namespace acmetool::acme
{

Result<std::unique_ptr<Solver>> make_solver(const SolverOptions& options)
{
    const int given = (options.dns_update.empty() ? 0 : 1) + (options.hook.empty() ? 0 : 1) +
                      (options.webroot.empty() ? 0 : 1) + (options.standalone.empty() ? 0 : 1) +
                      (options.manual ? 1 : 0) + (options.dns_persist ? 1 : 0);
    if (given > 1)
        return fail(Errc::usage,
                    "more than one of --dns-update, --hook, --webroot, --standalone, --dns-persist, --manual",
                    "give only one", "severalSolvers");
    if (!options.tsig_key.empty() && options.dns_update.empty())
        return fail(Errc::usage, "--tsig-key requires --dns-update", "give the DNS server with --dns-update",
                    "noServer");
    if (options.dns_account && options.dns_update.empty() && options.hook.empty() && !options.manual)
        return fail(Errc::usage, "--dns-account requires --dns-update, --hook or --manual",
                    "it selects the challenge that these solve", "noSolver");
    if (!options.standalone_listen.empty() && options.standalone.empty())
        return fail(Errc::usage, "--standalone-listen requires --standalone",
                    "give --standalone http or --standalone tls-alpn", "noStandalone");
    if (!options.standalone.empty()) return StandaloneSolver::make(options);
    if (!options.dns_update.empty()) return DnsUpdateSolver::make(options);
    if (!options.hook.empty()) return HookSolver::make(options);
    if (!options.webroot.empty()) {
        std::error_code none;
        if (!std::filesystem::is_directory(options.webroot, none))
            return fail(Errc::config, fmt::format("--webroot {}: not a folder", options.webroot), {},
                        "noWebroot");
        return std::unique_ptr<Solver>{std::make_unique<WebrootSolver>(options.webroot)};
    }
    if (!options.manual && !options.dns_persist) return std::unique_ptr<Solver>{};
    ACMETOOL_TRY(check, DnsCheck::make(options));
    if (options.dns_persist)
        return std::unique_ptr<Solver>{std::make_unique<PersistentSolver>(std::move(check))};
    return std::unique_ptr<Solver>{std::make_unique<ManualSolver>(std::move(check), options.dns_account)};
}

Result<DnsCheck> DnsCheck::make(const SolverOptions& options)
{
    DnsCheck check;
    check.enabled_ = !options.no_dns_check;
    check.allowed_zones_ = options.dns_allow_zones;
    check.options_.wait = options.dns_wait;
    check.options_.discovery = dns::system_resolver();
    if (!options.dns_update.empty()) {
        ACMETOOL_TRY(server, net::parse_endpoint(options.dns_update));
        check.options_.update = server;
        check.options_.fallback = std::move(check.options_.discovery);
        check.options_.discovery = server;
    }
    if (!options.resolver.empty()) {
        ACMETOOL_TRY(resolver, net::parse_endpoint(options.resolver));
        check.options_.discovery = resolver;
        check.options_.fallback.reset();
    }
    for (const auto& text : options.name_servers) {
        ACMETOOL_TRY(server, net::parse_endpoint(text));
        check.options_.name_servers.push_back(server);
    }
    return check;
}

Result<dns::Target> DnsCheck::find_target(const ChallengeTask& task, base::Context& context) const
{
    return dns::find_target(options_.discovery, task.record_name, allowed_zones_, context);
}

Result<void> DnsCheck::wait(const dns::Target& target, const ChallengeTask& task,
                            base::Context& context) const
{
    if (!enabled_) return {};
    return dns::wait_until_visible(target, task.record_value, options_, context);
}

Result<void> DnsCheck::wait(const ChallengeTask& task, base::Context& context) const
{
    if (!enabled_ || !is_digest_record(task.type)) return {};
    if (!options_.name_servers.empty()) return wait(dns::Target{task.record_name, {}}, task, context);
    ACMETOOL_TRY(target, find_target(task, context));
    return wait(target, task, context);
}

Result<std::unique_ptr<Solver>> DnsUpdateSolver::make(const SolverOptions& options)
{
    auto solver = std::make_unique<DnsUpdateSolver>();
    ACMETOOL_TRY(server, net::parse_endpoint(options.dns_update));
    solver->server_ = server;
    solver->account_names_ = options.dns_account;
    ACMETOOL_TRY(check, DnsCheck::make(options));
    solver->check_ = std::move(check);
    if (options.tsig_key.empty()) return std::unique_ptr<Solver>{std::move(solver)};
    ACMETOOL_TRY(secret, store::read_configured_secret(options.tsig_key, "--tsig-key"));
    auto key = dns::parse_tsig_key(secret.reveal());
    if (!key) return fail(with_context(std::move(key).error(), "--tsig-key " + options.tsig_key));
    solver->key_ = std::move(*key);
    return std::unique_ptr<Solver>{std::move(solver)};
}

namespace
{

/// Reports the failure of a request to `party` as an arrow back, for the trace.
void tell_failure(std::string party, std::string_view why, base::Context& context)
{
    constexpr std::size_t kLongestReason = 200;
    base::Message message;
    message.from = std::move(party);
    message.to = "client";
    message.label = "failed";
    message.detail = base::printable(why, kLongestReason);
    context.message(message);
}

} // namespace

Result<dns::Target> DnsUpdateSolver::change(const ChallengeTask& task, bool add, base::Context& context) const
{
    ACMETOOL_TRY(target, check_.find_target(task, context));
    base::Message message;
    message.from = "client";
    message.to = "dns";
    message.label = add ? "Publish DNS TXT" : "Delete DNS TXT";
    message.detail = task.identifier;
    message.method = "UPDATE";
    message.url = target.name;
    context.message(message);
    const auto done =
        dns::update_txt(server_, key_ ? &*key_ : nullptr, target.zone, target.name, task.record_value,
                        add ? dns::Change::add : dns::Change::remove, context);
    if (!done) {
        tell_failure(message.to, done.error().message, context);
        return fail(done.error());
    }
    return target;
}

Result<void> DnsUpdateSolver::publish(const ChallengeTask& task, base::Context& context)
{
    ACMETOOL_TRY(target, change(task, true, context));
    auto seen = check_.wait(target, task, context);
    if (!seen) tell_failure("dns", seen.error().message, context);
    return seen;
}

namespace
{

/// A context that ignores signals: published records are removed even while the program is being stopped.
class Unhurried final : public base::Context
{
public:
    explicit Unhurried(base::Context& outer) : outer_(outer) {}
    void log(base::Level level, std::string_view text) override { outer_.log(level, text); }
    void message(const base::Message& message) override { outer_.message(message); }
    void waiting(const base::Wait& wait) override { outer_.waiting(wait); }

private:
    base::Context& outer_;
};

} // namespace

Result<void> DnsUpdateSolver::cleanup(const ChallengeTask& task, bool, base::Context& context)
{
    Unhurried unhurried{context};
    ACMETOOL_TRY(target, change(task, false, unhurried));
    static_cast<void>(target);
    return {};
}

Result<void> check_hook_env(const std::vector<std::string>& names)
{
    for (const auto& name : names)
        if (!base::is_variable_name(name))
            return fail(Errc::usage,
                        fmt::format("--hook-env {}: not the name of an environment variable",
                                    base::printable(name, 40)),
                        "give the name without the value, which stays in the environment", "hookEnv");
    return {};
}

Result<std::unique_ptr<Solver>> HookSolver::make(const SolverOptions& options)
{
    const std::map<std::string_view, Style> styles{{"uacme", Style::uacme},
                                                   {"certbot", Style::certbot},
                                                   {"dehydrated", Style::dehydrated},
                                                   {"lego", Style::lego}};
    const auto style = styles.find(options.hook_style);
    if (style == styles.end())
        return fail(
            Errc::usage,
            fmt::format("--hook-style {}: must be uacme, certbot, dehydrated or lego", options.hook_style),
            {}, "hookStyle");
    auto solver = std::make_unique<HookSolver>();
    solver->style_ = style->second;
    if (options.dns_account && solver->names_record_itself())
        return fail(Errc::usage,
                    fmt::format("--dns-account cannot be combined with --hook-style {}", options.hook_style),
                    "such hooks publish at _acme-challenge, not at the account's own name: use a hook of "
                    "uacme or lego style, or --dns-update",
                    "hookStyle");
    solver->timeout_ = options.hook_timeout;
    ACMETOOL_CHECK(check_hook_env(options.hook_env));
    solver->inherit_ = options.hook_env;
    solver->account_names_ = options.dns_account;
    std::error_code none;
    solver->program_ = std::filesystem::absolute(options.hook, none).string();
    if (!options.hook_cleanup.empty())
        solver->cleanup_program_ = std::filesystem::absolute(options.hook_cleanup, none).string();
    for (const auto& program : {solver->program_, solver->cleanup_program_})
        if (!program.empty() && ::access(program.c_str(), X_OK) != 0)
            return fail(Errc::config, fmt::format("hook {}: {}", program, std::strerror(errno)),
                        "give the path of a file that exists and is executable", "hookNotFound");
    ACMETOOL_TRY(check, DnsCheck::make(options));
    solver->check_ = std::move(check);
    return std::unique_ptr<Solver>{std::move(solver)};
}

bool HookSolver::supports(std::string_view challenge_type) const
{
    // lego calls programs only for records.
    if (account_names_) return challenge_type == "dns-account-01";
    if (challenge_type == "dns-account-01" && names_record_itself()) return false;
    return is_digest_record(challenge_type) || (challenge_type == "http-01" && style_ != Style::lego);
}

std::vector<std::string> HookSolver::words_for(const std::string& word, const ChallengeTask& task,
                                               const std::string& value) const
{
    const bool publishes = word == "begin";
    switch (style_) {
    case Style::uacme:
        return {word, task.type, task.identifier, task.token, value};
    case Style::certbot:
        return {};
    case Style::dehydrated:
        return {publishes ? "deploy_challenge" : "clean_challenge", task.identifier, task.token, value};
    case Style::lego:
        return {publishes ? "present" : "cleanup", task.record_name + ".", value};
    }
    return {};
}

Result<void> HookSolver::call(const std::string& program, const std::string& word, const ChallengeTask& task,
                              base::Context& context, bool finish) const
{
    const auto& value = is_digest_record(task.type) ? task.record_value : task.key_authorization;
    base::Command command;
    command.timeout = timeout_;
    command.inherit = inherit_;
    command.name = "hook " + program;
    command.arguments = {program};
    for (auto& argument : words_for(word, task, value))
        command.arguments.push_back(std::move(argument));
    command.environment = {"ACMETOOL_FQDN=" + task.record_name, "ACMETOOL_VALUE=" + value,
                           "ACMETOOL_IDENT=" + task.identifier, "ACMETOOL_TOKEN=" + task.token};
    if (style_ == Style::certbot)
        command.environment.insert(command.environment.end(),
                                   {"CERTBOT_DOMAIN=" + task.identifier, "CERTBOT_VALIDATION=" + value,
                                    "CERTBOT_TOKEN=" + task.token, "CERTBOT_REMAINING_CHALLENGES=0"});
    for (const auto& name : inherit_)
        if (std::getenv(name.c_str()) == nullptr)
            context.log(base::Level::warning,
                        fmt::format("hook: {} is not set in the environment of this program", name));
    base::Message message;
    message.from = "client";
    message.to = is_digest_record(task.type) ? "dns" : "web";
    message.label = word == "begin" ? "Publish DNS TXT" : "Delete DNS TXT";
    message.detail = task.identifier;
    message.method = "HOOK";
    message.url = program;
    context.message(message);
    auto ended = base::run_program(command, context, finish);
    if (!ended) {
        if (ended.error().reason == Cause::program_timeout) ended.error().reason = Cause::hook_timeout;
        tell_failure(message.to, ended.error().message, context);
        return fail(with_context(std::move(ended).error(), "hook"));
    }
    if (ended->status != 0) {
        tell_failure(message.to, fmt::format("status {}", ended->status), context);
        return fail(Errc::unavailable,
                    fmt::format("hook {}: {} ended with status {}", program, word, ended->status),
                    ended->last_line.empty() ? "it wrote nothing that says why"
                                             : "the last line that it wrote: " + ended->last_line,
                    "hookFailed");
    }
    return {};
}

Result<void> HookSolver::publish(const ChallengeTask& task, base::Context& context)
{
    ACMETOOL_CHECK(call(program_, "begin", task, context, false));
    auto seen = check_.wait(task, context);
    if (!seen) tell_failure("dns", seen.error().message, context);
    return seen;
}

Result<void> HookSolver::cleanup(const ChallengeTask& task, bool succeeded, base::Context& context)
{
    const bool certbot = style_ == Style::certbot;
    if (certbot && cleanup_program_.empty()) return {};
    return call(certbot ? cleanup_program_ : program_, succeeded ? "done" : "failed", task, context, true);
}

Result<std::string> WebrootSolver::path_of(const ChallengeTask& task) const
{
    // The token becomes a file name, so it must be base64url (RFC 8555 section 8.3).
    if (!is_token(task.token)) return fail(Errc::protocol, "the token is not base64url", {}, "badToken");
    return folder_ + "/.well-known/acme-challenge/" + task.token;
}

Result<void> WebrootSolver::publish(const ChallengeTask& task, base::Context& context)
{
    ACMETOOL_TRY(path, path_of(task));
    if (task.key_authorization.empty())
        return fail(Errc::bad_input, "the document contains no key authorization", {}, "noKeyAuthorization");
    for (const auto* part : {"/.well-known", "/.well-known/acme-challenge"}) {
        const auto folder = folder_ + part;
        struct stat info {
        };
        if (mkdir(folder.c_str(), 0755) != 0 && errno != EEXIST)
            return fail(Errc::cannot_create, fmt::format("{}: {}", folder, std::strerror(errno)));
        if (lstat(folder.c_str(), &info) != 0 || !S_ISDIR(info.st_mode))
            return fail(Errc::config, fmt::format("{}: not a folder", folder),
                        "a symbolic link could lead out of the web root", "noWebroot");
    }
    base::Message message;
    message.from = "client";
    message.to = "web";
    message.label = "Publish challenge file";
    message.detail = task.identifier;
    message.url = path;
    context.message(message);
    return store::write_atomically(path, task.key_authorization, 0644);
}

Result<void> WebrootSolver::cleanup(const ChallengeTask& task, bool, base::Context&)
{
    ACMETOOL_TRY(path, path_of(task));
    if (unlink(path.c_str()) != 0 && errno != ENOENT)
        return fail(Errc::io, fmt::format("{}: {}", path, std::strerror(errno)));
    return {};
}

bool ManualSolver::supports(std::string_view challenge_type) const
{
    if (account_names_) return challenge_type == "dns-account-01";
    return is_digest_record(challenge_type) || challenge_type == "http-01";
}

Result<void> ManualSolver::publish(const ChallengeTask& task, base::Context& context)
{
    const int terminal = open("/dev/tty", O_RDONLY | O_CLOEXEC);
    if (terminal < 0)
        return fail(Errc::config, "--manual requires a terminal",
                    "use another solver, or run the steps one by one: acme-preauth new prints the record",
                    "noTerminal");
    context.log(
        base::Level::info,
        is_digest_record(task.type)
            ? fmt::format("publish this record, then press Enter:\n{}. IN TXT \"{}\"", task.record_name,
                          task.record_value)
            : fmt::format(
                  "serve http://{}/.well-known/acme-challenge/{} with this content, then press Enter:\n{}",
                  task.identifier, task.token, task.key_authorization));
    Result<void> outcome;
    for (char c = 0; c != '\n';) {
        pollfd entry{terminal, POLLIN, 0};
        if (poll(&entry, 1, 100) > 0 && read(terminal, &c, 1) != 1) c = '\n';
        if (context.interrupted()) {
            outcome = fail(base::interrupted_error("Enter"));
            break;
        }
    }
    close(terminal);
    if (!outcome) return outcome;
    return check_.wait(task, context);
}

Result<void> ManualSolver::cleanup(const ChallengeTask& task, bool, base::Context& context)
{
    context.log(base::Level::info, is_digest_record(task.type)
                                       ? fmt::format("this record can be removed: {}. IN TXT \"{}\"",
                                                     task.record_name, task.record_value)
                                       : fmt::format("the file for {} can be removed", task.identifier));
    return {};
}

Result<std::vector<std::string>> DnsCheck::texts(const std::string& name, base::Context& context) const
{
    const auto server =
        options_.name_servers.empty() ? options_.discovery : dns::Resolver{options_.name_servers.front()};
    ACMETOOL_TRY(answer, dns::query(server, name, dns::Type::txt, true, context));
    std::vector<std::string> found;
    for (const auto& record : answer.answers)
        if (record.type == dns::Type::txt) found.push_back(record.data);
    return found;
}

Result<void> PersistentSolver::publish(const ChallengeTask& task, base::Context& context)
{
    if (!check_.enabled()) return {};
    const auto wanted = parse_persistent_record(task.record_value);
    if (!wanted)
        return fail(Errc::bad_input, "the document contains no dns-persist-01 record", {}, "badRecord");
    ACMETOOL_TRY(found, check_.texts(task.record_name, context));
    const auto accounts =
        task.account_uris.empty() ? std::vector<std::string>{wanted->account_uri} : task.account_uris;
    std::string why = "none of the records found is for this CA";
    for (const auto& text : found) {
        const auto verdict =
            judge_persistent_record(text, task.issuers, accounts, wanted->wildcard, context.now());
        if (verdict && verdict->granted) return {};
        if (verdict) why = verdict->why;
    }
    return fail(
        Errc::authorization_needed, fmt::format("TXT {}: {}", task.record_name, why),
        fmt::format("publish it once: {}. IN TXT {}", task.record_name, dns::txt_strings(task.record_value)),
        "noPersistentRecord");
}

} // namespace acmetool::acme
