#include "acme-order/renewal.h"

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <random>
#include <thread>
#include <utility>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "acme-order/wanted.h"
#include "base/shared_context.h"
#include "base/thread.h"
#include "cli/failure.h"
#include "cli/options.h"
#include "common/acme_options.h"
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

/// The clients of one thread: one connection for each account, which its certificates share.
class Clients
{
public:
    explicit Clients(base::Context& context) : context_(context) {}

    Result<acme::Client*> of(const acme::ClientOptions& options);

private:
    base::Context& context_;
    std::map<std::vector<std::string>, std::unique_ptr<acme::Client>> clients_;
};

Result<acme::Client*> Clients::of(const acme::ClientOptions& options)
{
    auto& client = clients_[{options.account_file, options.state_directory, options.ca_file}];
    if (client) {
        client->begin(options.timeout);
    } else {
        ACMETOOL_TRY(opened, acme::Client::open(options, context_));
        client = std::move(opened);
    }
    return client.get();
}

/// A certificate that needs the CA.
struct Due {
    Wanted wanted;
    std::size_t place = 0;          ///< among the results
    base::Milliseconds its_turn{0}; ///< since the first one's
};

/// A run over one certificate or many.
class RenewRun
{
public:
    RenewRun(Verb& verb, RenewOptions& options, Io& io) : verb_(verb), options_(options), io_(io) {}

    Result<void> go();

private:
    using Work = std::function<Result<void>(Wanted)>;
    /// Calls `work` for each certificate. With --config-dir, the failure of one is recorded under its name.
    Result<void> each(const Work& work);
    Result<void> one(const std::string& file, const std::string& ca_file, const Work& work);
    Result<void> each_file(const Work& work);
    /// `file`: the certificate, if it is known, or what should have named it.
    void failed(const std::string& file, bool is_certificate, Error error);

    Result<void> check();
    Result<void> plan(Wanted wanted);
    void take_turns();
    Result<void> renew_due();
    /// Renews what nobody has begun yet, until all is done. Several threads do.
    Result<void> work_through(base::Context& context);
    Result<void> renew(const Due& due, Clients& clients, base::Context& context);
    Result<void> tell();

    Verb& verb_;
    RenewOptions& options_;
    Io& io_;
    std::vector<acme::CertificateRenewal> renewals_; ///< of --config-dir in the order of its files
    std::vector<Due> due_;                           ///< by their turns
    std::atomic<std::size_t> begun_{0};
    std::chrono::steady_clock::time_point start_{}; ///< of the turns
    std::mutex terminal_; ///< of solvers that only one certificate at a time can use
};

void RenewRun::failed(const std::string& file, bool is_certificate, Error error)
{
    auto state = acme::StateDirectory::open(options_.client.state_directory, options_.client.account_file);
    if (!state) state = acme::StateDirectory{};
    if (is_certificate && !options_.check) acme::keep_failed_renewal(*state, file, error, io_.context());
    auto renewal = acme::last_known(*state, file);
    renewal.error = std::move(error);
    renewals_.push_back(std::move(renewal));
}

Result<void> RenewRun::one(const std::string& file, const std::string& ca_file, const Work& work)
{
    ACMETOOL_TRY(made, wanted(options_, file, ca_file, io_));
    return work(std::move(made));
}

Result<void> RenewRun::each_file(const Work& work)
{
    return for_each_file(verb_, options_, [&](const ConfiguredFile& file) -> Result<void> {
        const auto& given = file.given;
        auto done = given ? one(given->output, given->ca_file.empty() ? io_.ca_file() : given->ca_file, work)
                          : fail(given.error());
        if (done) return {};
        if (done.error().code == Errc::interrupted) return done;
        failed(given ? given->output : file.name, given.has_value(), with_context(done.error(), file.name));
        return {};
    });
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
    if (!done) failed(io_.output(), true, done.error());
    for (const auto& renewal : renewals_)
        io_.context().log(base::Level::error, renewal.error->message);
    io_.exit_with(due ? kCheckDue : renewals_.empty() ? kCheckNothing : kCheckError);
    return {};
}

Result<void> RenewRun::plan(Wanted wanted)
{
    ACMETOOL_TRY(state,
                 acme::StateDirectory::open(wanted.client.state_directory, wanted.client.account_file));
    ACMETOOL_TRY(plan, acme::plan_renewal(state, wanted.wish, io_.context().now()));
    if (!plan.nothing_to_do()) {
        renewals_.push_back(acme::as_planned(wanted.wish, plan));
        due_.push_back({std::move(wanted), renewals_.size() - 1});
        return {};
    }
    renewals_.push_back(acme::left_alone(wanted.wish, plan, io_.context().now()));
    if (acme::kept_failure(*plan.entry)) acme::forget_failed_renewal(state, wanted.wish.file, io_.context());
    io_.context().log(base::Level::detail, not_due(wanted.wish.file, renewals_.back().renew_at));
    return {};
}

/// --jitter: each certificate has a turn of its own, so that neither many hosts nor the many certificates of
/// one send their requests in the same second.
void RenewRun::take_turns()
{
    start_ = io_.context().steady_now();
    if (options_.jitter.count() == 0) return;
    std::random_device random;
    for (auto& due : due_)
        due.its_turn = base::Milliseconds{random() % options_.jitter.count()};
    std::sort(due_.begin(), due_.end(), [](const auto& a, const auto& b) { return a.its_turn < b.its_turn; });
}

Result<void> RenewRun::renew(const Due& due, Clients& clients, base::Context& context)
{
    const auto& wanted = due.wanted;
    auto& renewal = renewals_[due.place];
    const auto client = clients.of(wanted.client);
    if (!client && client.error().code == Errc::interrupted) return fail(client.error());
    if (!client) {
        // No request could be created: what was planned has the current certificate and its end.
        renewal.error = with_context(client.error(), wanted.wish.file);
        if (auto state =
                acme::StateDirectory::open(wanted.client.state_directory, wanted.client.account_file))
            acme::keep_failed_renewal(*state, wanted.wish.file, *renewal.error, context);
        return {};
    }
    std::unique_lock alone{terminal_, std::defer_lock};
    if (wanted.is_alone) alone.lock();
    ACMETOOL_TRY(done, acme::renew_certificate(**client, wanted.wish));
    renewal = std::move(done);
    if (renewal.changed)
        context.log(base::Level::info, renewed(renewal.file, renewal.not_after));
    else if (!renewal.error)
        context.log(base::Level::detail, not_due(renewal.file, renewal.renew_at));
    return {};
}

Result<void> RenewRun::work_through(base::Context& context)
{
    Clients clients{context};
    for (auto next = begun_++; next < due_.size(); next = begun_++) {
        const auto& due = due_[next];
        const auto now = context.steady_now();
        const auto turn = start_ + due.its_turn;
        if (now < turn)
            ACMETOOL_CHECK(context.sleep(std::chrono::ceil<base::Milliseconds>(turn - now),
                                         {"its turn (--jitter)", now, turn}));
        if (context.interrupted()) return fail(base::interrupted_error("the renewals"));
        ACMETOOL_CHECK(renew(due, clients, context));
    }
    return {};
}

Result<void> RenewRun::renew_due()
{
    take_turns();
    const auto lanes = std::min<std::size_t>(options_.parallel, due_.size());
    if (lanes <= 1) return work_through(io_.context());
    base::SharedContext shared{io_.context()};
    std::vector<Result<void>> ends(lanes);
    std::vector<std::thread> threads;
    threads.reserve(lanes);
    for (auto& end : ends)
        threads.push_back(base::start_thread("renew", [&] { end = work_through(shared); }));
    for (auto& thread : threads)
        thread.join();
    for (auto& end : ends)
        if (!end) return std::move(end);
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
    constexpr unsigned kMostParallel = 64;
    if (options_.parallel < 1 || options_.parallel > kMostParallel)
        return fail(Errc::usage, fmt::format("--parallel must be between 1 and {}", kMostParallel));
    if (options_.check) return check();
    ACMETOOL_CHECK(each([&](Wanted wanted) { return plan(std::move(wanted)); }));
    ACMETOOL_CHECK(renew_due());
    if (!options_.metrics_file.empty())
        ACMETOOL_CHECK(
            store::write_output(options_.metrics_file, acme::metrics_of(renewals_), 0644, io_.context()));
    return tell();
}

} // namespace

Verb& add_renew(Program& program, RenewOptions& options)
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
        .option("--jitter DURATION", options.jitter,
                "Wait up to this long, at random, before the requests for each certificate")
        .option("--parallel NUMBER", options.parallel, "With --config-dir: renew so many at a time")
        .option("--metrics-file FILE", options.metrics_file, "Write metrics for node_exporter to this file")
        .example("acme-order renew -q --account acct.json --csr sub.csr -o sub.pem")
        .action([&verb, &options](Io& io) {
            return RenewRun{verb, options, io}.go();
        });
    return verb;
}

} // namespace acmetool::cli
