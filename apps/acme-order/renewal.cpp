#include "acme-order/renewal.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <utility>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/failure.h"
#include "cli/options.h"
#include "common/acme_options.h"
#include "common/names.h"
#include "store/atomic_file.h"

namespace acmetool::cli
{
namespace
{

/// Exit statuses of --check for ExecCondition in systemd.service(5): 1 to 254 skip the unit.
constexpr int kCheckDue = 0;
constexpr int kCheckNothing = 1;
constexpr int kCheckError = 255;
constexpr int kNothingChanged = 2; ///< with --detailed-exitcode

/// Options that a file in --config-dir must not set.
const std::vector<std::string> kRunWide{
    "config",  "json",       "quiet", "verbose", "log-format",        "trace",       "show",
    "timeout", "config-dir", "check", "jitter",  "detailed-exitcode", "metrics-file"};

/// One certificate as the current options describe it. The solver is created before any request is sent.
struct Wanted {
    acme::ClientOptions client;
    std::unique_ptr<acme::Solver> solver;
    acme::CertificateWish wish;
};

Result<std::vector<crypto::Identifier>> names_for_key(const RenewOptions& options, const std::string& file)
{
    ACMETOOL_TRY(names, identifiers_of(options.dns, options.ip, {.allow_wildcard = true}));
    std::error_code none;
    if (!names.empty() || !std::filesystem::exists(file, none)) {
        if (names.empty())
            return fail(Errc::usage, fmt::format("no names: {} does not exist yet", file),
                        "name the subject of the first certificate with --dns or --ip", "noNames");
        return std::move(names);
    }
    ACMETOOL_TRY(text, store::read_file(file));
    ACMETOOL_TRY(certificates, crypto::parse_certificates(text, file));
    return certificates.front().identifiers();
}

Result<crypto::Csr> request_of(const RenewOptions& options, const std::string& file, Io& io)
{
    if (!options.key.empty()) {
        if (!options.csr.empty())
            return fail(Errc::usage, "--csr and --key cannot be combined",
                        "either give a request, or have one created with the key", "severalSources");
        ACMETOOL_TRY(names, names_for_key(options, file));
        ACMETOOL_TRY(key, acme::load_private_key(options.key, "certificate key", "choose it with --key", {},
                                                 &io.context()));
        crypto::CsrOptions request;
        request.identifiers = std::move(names);
        return crypto::build_csr(key, request);
    }
    if (!options.dns.empty() || !options.ip.empty())
        return fail(Errc::usage, "--dns and --ip require --key", "the names are already in the given request",
                    "noKey");
    ACMETOOL_TRY(text, io.read(options.csr.empty() ? "-" : options.csr));
    auto csr = crypto::parse_csr(text);
    if (!csr && !options.csr.empty()) return fail(with_context(std::move(csr).error(), options.csr));
    return csr;
}

Result<Wanted> wanted(const RenewOptions& options, const std::string& file, const std::string& ca_file,
                      Io& io)
{
    Wanted result;
    result.client = options.client;
    result.client.ca_file = ca_file;
    if (const auto timeout = io.timeout()) result.client.timeout = *timeout;
    ACMETOOL_TRY(solver, make_solver(options.solver, io));
    result.solver = std::move(solver);
    ACMETOOL_TRY(csr, request_of(options, file, io));
    ACMETOOL_TRY(task, order_task(std::move(csr), options.order, io.context().now()));
    result.wish.file = file;
    result.wish.task = std::move(task);
    result.wish.task.solver = result.solver.get();
    result.wish.before = options.before;
    result.wish.deploy_hook = options.deploy_hook;
    result.wish.hook_timeout = options.solver.hook_timeout;
    ACMETOOL_CHECK(acme::check_hook_env(options.solver.hook_env));
    result.wish.hook_env = options.solver.hook_env;
    return result;
}

/// A run over one certificate or many.
class RenewRun
{
public:
    RenewRun(Verb& verb, RenewOptions& options, Io& io) : verb_(verb), options_(options), io_(io) {}

    Result<void> go();

private:
    using Work = std::function<Result<void>(const Wanted&)>;
    /// Calls `work` for each certificate. With --config-dir, the failure of one is recorded under its name.
    Result<void> each(const Work& work);
    Result<void> one(const std::string& file, const std::string& ca_file, const Work& work);
    Result<void> each_file(const Work& work);
    void failed(const std::string& name, Error error);

    Result<void> check();
    Result<void> renew(const Wanted& wanted);
    Result<void> tell();

    Verb& verb_;
    RenewOptions& options_;
    Io& io_;
    bool waited_ = false;
    std::vector<acme::CertificateRenewal> renewals_;
};

void RenewRun::failed(const std::string& name, Error error)
{
    const auto state =
        acme::StateDirectory::open(options_.client.state_directory, options_.client.account_file);
    auto renewal = acme::last_known(state ? *state : acme::StateDirectory{}, name);
    renewal.error = std::move(error);
    renewals_.push_back(std::move(renewal));
}

Result<void> RenewRun::one(const std::string& file, const std::string& ca_file, const Work& work)
{
    ACMETOOL_TRY(made, wanted(options_, file, ca_file, io_));
    return work(made);
}

Result<void> RenewRun::each_file(const Work& work)
{
    namespace fs = std::filesystem;
    std::error_code problem;
    std::vector<std::string> files;
    for (const auto& file : fs::directory_iterator{options_.config_dir, problem})
        if (file.path().extension() == ".toml") files.push_back(file.path().string());
    if (problem)
        return fail(Errc::config, fmt::format("--config-dir {}: {}", options_.config_dir, problem.message()),
                    {}, "noDirectory");
    std::sort(files.begin(), files.end());
    const RenewOptions common = options_;
    for (const auto& file : files) {
        options_ = common;
        const auto given = verb_.read_options(file, kRunWide);
        auto done =
            !given                  ? fail(given.error())
            : given->output.empty() ? fail(Errc::config, fmt::format("{}: no \"output\"", file),
                                           "set output = \"FILE\" to the certificate to renew", "noOutput")
            : options_.key.empty() && options_.csr.empty()
                ? fail(Errc::config, fmt::format("{}: neither \"csr\" nor \"key\"", file),
                       "set csr = \"FILE\" to a request, or key = \"FILE\" to create one", "noRequest")
                : one(given->output, given->ca_file.empty() ? io_.ca_file() : given->ca_file, work);
        if (done) continue;
        if (done.error().code == Errc::interrupted) return done;
        failed(given && !given->output.empty() ? given->output : file, with_context(done.error(), file));
    }
    options_ = common;
    return {};
}

Result<void> RenewRun::each(const Work& work)
{
    if (!options_.config_dir.empty()) {
        if (!io_.output().empty())
            return fail(Errc::usage, "--output cannot be combined with --config-dir",
                        "set output in each file of the directory", "outputOfMany");
        return each_file(work);
    }
    if (io_.output().empty() || io_.output() == "-")
        return fail(Errc::usage, "renew needs -o FILE or --config-dir DIR",
                    "-o names the certificate to renew; the new certificate replaces it", "noOutput");
    return one(io_.output(), io_.ca_file(), work);
}

/// For ExecCondition: reports by the exit status whether a run has something to do. Sends no certificate
/// request.
Result<void> RenewRun::check()
{
    bool due = false;
    const auto done = each([&](const Wanted& wanted) -> Result<void> {
        ACMETOOL_TRY(account, acme::load_account(wanted.client.account_file));
        ACMETOOL_TRY(state,
                     acme::StateDirectory::open(wanted.client.state_directory, wanted.client.account_file));
        ACMETOOL_TRY(plan, acme::plan_renewal(state, wanted.wish, io_.context().now()));
        static_cast<void>(account);
        due |= !plan.nothing_to_do();
        return {};
    });
    if (!done) failed(io_.output(), done.error());
    for (const auto& renewal : renewals_)
        io_.context().log(base::Level::error, renewal.error->message);
    io_.exit_with(due ? kCheckDue : renewals_.empty() ? kCheckNothing : kCheckError);
    return {};
}

Result<void> RenewRun::renew(const Wanted& wanted)
{
    ACMETOOL_TRY(state,
                 acme::StateDirectory::open(wanted.client.state_directory, wanted.client.account_file));
    ACMETOOL_TRY(plan, acme::plan_renewal(state, wanted.wish, io_.context().now()));
    if (plan.nothing_to_do()) {
        renewals_.push_back(acme::left_alone(wanted.wish, plan, io_.context().now()));
        io_.context().log(base::Level::detail, not_due(wanted.wish.file, renewals_.back().renew_at));
        return {};
    }
    if (!std::exchange(waited_, true)) ACMETOOL_CHECK(wait_for_turn(options_.jitter, io_));
    auto client = acme::Client::open(wanted.client, io_.context());
    if (!client && client.error().code == Errc::interrupted) return fail(client.error());
    if (!client) {
        // No request could be created: report the current certificate and its end.
        auto renewal = acme::as_planned(wanted.wish, plan);
        renewal.error = with_context(client.error(), wanted.wish.file);
        renewals_.push_back(std::move(renewal));
        return {};
    }
    ACMETOOL_TRY(renewal, acme::renew_certificate(**client, wanted.wish));
    if (renewal.changed)
        io_.context().log(base::Level::info, renewed(renewal.file, renewal.not_after));
    else if (!renewal.error)
        io_.context().log(base::Level::detail, not_due(renewal.file, renewal.renew_at));
    renewals_.push_back(std::move(renewal));
    return {};
}

/// Writes the document, which lists all certificates, and returns the error that determines the exit status:
/// a failed renewal takes precedence over a failed hook.
Result<void> RenewRun::tell()
{
    bool changed = false;
    const Error* failure = nullptr;
    base::Json list = base::Json::array();
    for (const auto& renewal : renewals_) {
        list.push_back(acme::to_json(renewal));
        changed |= renewal.changed;
        if (!renewal.error) continue;
        if (failure == nullptr || (failure->reason == Cause::deploy_hook_failed &&
                                   renewal.error->reason != Cause::deploy_hook_failed))
            failure = &*renewal.error;
    }
    for (const auto& renewal : renewals_)
        if (renewal.error && &*renewal.error != failure)
            io_.context().log(base::Level::error, renewal.error->message);
    if (!changed && options_.detailed_exitcode) io_.exit_with(kNothingChanged);
    auto members = failure != nullptr ? end_with(*failure, io_) : base::Json::object();
    if (!io_.json()) return {};
    members["changed"] = changed;
    members["certificates"] = std::move(list);
    return io_.print_document("renewal", members);
}

Result<void> RenewRun::go()
{
    if (options_.check) return check();
    ACMETOOL_CHECK(each([&](const Wanted& wanted) { return renew(wanted); }));
    if (!options_.metrics_file.empty())
        ACMETOOL_CHECK(
            store::write_output(options_.metrics_file, acme::metrics_of(renewals_), 0644, io_.context()));
    return tell();
}

} // namespace

void add_renew(Program& program, RenewOptions& options)
{
    auto& verb = program.verb(
        "renew", "renew certificates that expire soon or that the CA suggests renewing; for cron");
    add_account(verb, options.client);
    add_order(verb, options.order);
    add_chain(verb, options.order);
    add_solver(verb, options.solver);
    verb.option("--csr FILE", options.csr,
                "CSR of the certificate; default: standard input, unless --key is given")
        .option("--key KEY", options.key, "Create the CSR with this private key (file or URI)")
        .option("--dns NAME", options.dns,
                "With --key: DNS name (repeatable); default: the names of the current certificate")
        .option("--ip ADDRESS", options.ip, "With --key: IP address (repeatable)")
        .option("--before DURATION", options.before,
                "Renew this long before expiry, even if the CA's window is later: a duration or a share of "
                "the lifetime; default: the CA's window, or 1/3 if the CA gives none")
        .option("--deploy-hook PROGRAM", options.deploy_hook,
                "Program to run after a new certificate is written")
        .option("--config-dir DIR", options.config_dir,
                "Renew many certificates: one per .toml file in this folder")
        .flag("--check", options.check, "Only report by exit status: 0 due, 1 nothing to do, 255 error")
        .flag("--detailed-exitcode", options.detailed_exitcode, "Exit with 2 if nothing changed")
        .option("--jitter DURATION", options.jitter, "Wait up to this long, at random, before a request")
        .option("--metrics-file FILE", options.metrics_file, "Write metrics for node_exporter to this file")
        .example("acme-order renew -q --account acct.json --csr sub.csr -o sub.pem")
        .action([&verb, &options](Io& io) {
            return RenewRun{verb, options, io}.go();
        });
}

} // namespace acmetool::cli
