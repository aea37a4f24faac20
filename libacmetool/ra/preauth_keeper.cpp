#include "ra/preauth_keeper.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "acme/fulfil.h"
#include "acme/preauth.h"
#include "acme/preauth_renewal.h"
#include "acme/solvers.h"
#include "base/text.h"
#include "dns/name.h"
#include "store/atomic_file.h"

namespace acmetool::ra
{
namespace
{

using acme::PreAuthorization;
using base::Json;
using Steady = std::chrono::steady_clock;

constexpr std::chrono::seconds kFirstRetry{30};
constexpr std::chrono::seconds kLongestRetry{600};
constexpr std::chrono::seconds kSoonest{
    30}; ///< a CA whose authorizations live for seconds is asked no faster
constexpr std::chrono::hours kLongestSleep{1};

class KeeperContext final : public base::Context
{
public:
    KeeperContext(const std::atomic<bool>& stopping, IssuerHost& host, std::string domain)
        : stopping_(stopping), host_(host), domain_(std::move(domain))
    {
    }
    /// What comes next is for this request; empty: for none in particular.
    void work_for(std::string request_id) { request_id_ = std::move(request_id); }

    bool interrupted() const override { return stopping_; }
    void log(base::Level level, std::string_view text) override
    {
        if (level != base::Level::warning && level != base::Level::error) return;
        Json event{{"event", "authorization"}, {"level", "warning"}, {"domain", domain_}, {"text", text}};
        if (!request_id_.empty()) event["request_id"] = request_id_;
        host_.event(std::move(event));
    }
    void message(const base::Message& message) override
    {
        if (!host_.traces()) return;
        auto mine = message;
        mine.request_id = request_id_;
        host_.message(std::move(mine));
    }

private:
    const std::atomic<bool>& stopping_;
    IssuerHost& host_;
    std::string domain_;
    std::string request_id_; ///< of the keeper's thread alone
};

} // namespace

acme::ClientOptions client_options_of(const Options& options)
{
    acme::ClientOptions client;
    client.account_file = options.account_file;
    client.passphrase = {options.account_passphrase_file, false};
    return client;
}

class PreauthKeeper::Keeper
{
public:
    Keeper(DomainOptions domain, acme::ClientOptions client, std::unique_ptr<acme::Solver> solver,
           std::optional<PreAuthorization> known)
        : domain_(std::move(domain)), client_options_(std::move(client)), solver_(std::move(solver)),
          known_(std::move(known))
    {
    }
    ~Keeper();

    void start(IssuerHost& host);
    void when_ready(std::string request_id, Done done);
    void fulfil(OrderedProof proof, std::string request_id, Done done);
    Json status();

private:
    struct Job {
        OrderedProof proof;
        std::string request_id;
        Done done;
    };
    struct Waiting {
        std::string request_id;
        Done done;
    };

    bool obtains() const { return domain_.preauthorize && solver_ != nullptr; }
    void run();
    void obtain();
    void take(Result<PreAuthorization> got);
    void plan();
    Result<void> carry_out(const OrderedProof& proof);
    void tell(const char* level, const Error& error);

    const DomainOptions domain_;
    const acme::ClientOptions client_options_;
    const std::unique_ptr<acme::Solver> solver_;

    std::mutex mutex_;
    std::condition_variable changed_;
    std::optional<PreAuthorization> known_;
    std::optional<Error> error_;
    bool unsupported_ = false; ///< the CA has no newAuthz: orders are authorized one by one
    std::chrono::seconds retry_ = kFirstRetry;
    Steady::time_point due_at_ = Steady::time_point::max();
    std::vector<Waiting> waiting_; ///< for the pre-authorization
    std::deque<Job> jobs_;

    IssuerHost* host_ = nullptr;
    std::atomic<bool> stopping_{false};
    std::unique_ptr<KeeperContext> context_;
    std::thread thread_;
};

PreauthKeeper::Keeper::~Keeper()
{
    {
        const std::lock_guard lock{mutex_};
        stopping_ = true;
        changed_.notify_all();
    }
    if (thread_.joinable()) thread_.join();
}

void PreauthKeeper::Keeper::start(IssuerHost& host)
{
    host_ = &host;
    context_ = std::make_unique<KeeperContext>(stopping_, host, domain_.name);
    plan();
    // Whoever waits for the relay to be ready learns of it here, too.
    if (known_ && obtains() && due_at_ > Steady::now() && known_->authorization.status == "valid")
        host_->event({{"event", "authorization"},
                      {"level", "info"},
                      {"domain", domain_.name},
                      {"status", "valid"},
                      {"text", "obtained in an earlier run"}});
    thread_ = std::thread{[this] { run(); }};
}

/// When the pre-authorization is looked at next.
void PreauthKeeper::Keeper::plan()
{
    if (!obtains() || unsupported_) return;
    const auto now = context_->now();
    if (error_) {
        due_at_ = Steady::now() + retry_;
    } else if (!known_ || acme::is_due(*known_, domain_.renew_before, now)) {
        due_at_ = known_ && known_->obtained == now ? Steady::now() + kSoonest : Steady::now();
    } else {
        std::chrono::seconds wait = kLongestSleep;
        if (known_->authorization.expires && known_->obtained)
            wait = domain_.renew_before.due(*known_->obtained, *known_->authorization.expires) - now;
        due_at_ = Steady::now() + std::clamp<std::chrono::seconds>(wait, kSoonest, kLongestSleep);
    }
}

void PreauthKeeper::Keeper::tell(const char* level, const Error& error)
{
    Json event{
        {"event", "authorization"}, {"level", level}, {"domain", domain_.name}, {"text", error.message}};
    if (!error.hint.empty()) event["hint"] = error.hint;
    host_->event(std::move(event));
}

void PreauthKeeper::Keeper::when_ready(std::string request_id, Done done)
{
    std::optional<Error> error;
    {
        const std::lock_guard lock{mutex_};
        const bool usable =
            known_ && known_->authorization.status == "valid" &&
            (!known_->authorization.expires || *known_->authorization.expires > context_->now());
        if (obtains() && !unsupported_ && !usable) {
            if (!error_) {
                waiting_.push_back({std::move(request_id), std::move(done)});
                return;
            }
            error = error_;
        }
    }
    done(error ? Result<void>{fail(*error)} : Result<void>{});
}

void PreauthKeeper::Keeper::fulfil(OrderedProof proof, std::string request_id, Done done)
{
    if (solver_ == nullptr) {
        const Error error{
            .code = Errc::authorization_needed,
            .message = fmt::format("the CA wants proof for {}, and nothing here can give it", domain_.name),
            .hint = "pre-authorize with acme-preauth run, or configure a solver ([dns])",
            .reason = "authorizationNeeded",
            .problem_type = {},
            .problem = {},
            .retry_after = {}};
        tell("error", error);
        done(fail(error));
        return;
    }
    const std::lock_guard lock{mutex_};
    jobs_.push_back({std::move(proof), std::move(request_id), std::move(done)});
    // What was believed to be valid is not: look again, unless that was just done.
    if (known_ && known_->obtained && context_->now() - *known_->obtained > kSoonest && !error_)
        known_.reset();
    plan();
    changed_.notify_all();
}

Json PreauthKeeper::Keeper::status()
{
    const std::lock_guard lock{mutex_};
    Json status{{"preauthorize", domain_.preauthorize}};
    if (known_) {
        status["status"] = known_->authorization.status;
        status["subdomainAuthAllowed"] = known_->authorization.subdomain_auth_allowed;
        if (known_->authorization.expires)
            status["expires"] = base::to_rfc3339(*known_->authorization.expires);
    }
    if (error_) status["error"] = error_->message;
    if (unsupported_) status["status"] = "unsupported";
    if (!jobs_.empty()) status["waiting"] = jobs_.size();
    return status;
}

void PreauthKeeper::Keeper::take(Result<PreAuthorization> got)
{
    std::vector<Waiting> told;
    std::optional<Error> failure;
    {
        const std::lock_guard lock{mutex_};
        if (got && got->authorization.status != "valid")
            got = fail(Errc::temporary, fmt::format("{}: the CA has not validated it yet", domain_.name));
        if (got) {
            known_ = std::move(*got);
            error_.reset();
            retry_ = kFirstRetry;
        } else if (got.error().reason == Cause::new_authz_unsupported) {
            unsupported_ = true;
            error_.reset();
            due_at_ = Steady::time_point::max();
        } else {
            retry_ = error_ ? std::min(retry_ * 2, kLongestRetry) : kFirstRetry;
            if (got.error().retry_after) retry_ = std::max(retry_, *got.error().retry_after);
            error_ = with_context(got.error(), fmt::format("pre-authorization of {}", domain_.name));
            error_->retry_after = retry_;
            failure = error_;
        }
        plan();
        told.swap(waiting_);
    }
    if (!got)
        tell("warning", got.error());
    else if (known_->lacks_subdomains())
        tell("warning", Error{.code = Errc::refused,
                              .message = fmt::format("the CA does not extend the authorization of {} to its "
                                                     "subdomains; each order is authorized by itself",
                                                     domain_.name),
                              .hint = {},
                              .reason = {},
                              .problem_type = {},
                              .problem = {},
                              .retry_after = {}});
    else
        host_->event(
            {{"event", "authorization"}, {"level", "info"}, {"domain", domain_.name}, {"status", "valid"}});
    for (const auto& waiting : told)
        waiting.done(failure ? Result<void>{fail(*failure)} : Result<void>{});
}

void PreauthKeeper::Keeper::obtain()
{
    {
        // Whoever waits first is whom it is done for; it may be nobody, when it is renewed in time.
        const std::lock_guard lock{mutex_};
        context_->work_for(waiting_.empty() ? std::string{} : waiting_.front().request_id);
    }
    const auto attempt = [&]() -> Result<PreAuthorization> {
        ACMETOOL_TRY(client, acme::Client::open(client_options_, *context_));
        return acme::preauthorize(*client, domain_.name, true, *solver_);
    };
    take(attempt());
}

Result<void> PreauthKeeper::Keeper::carry_out(const OrderedProof& proof)
{
    ACMETOOL_TRY(client, acme::Client::open(client_options_, *context_));
    const acme::StateDirectory::Key key{
        "authz", acme::entry_id({client->directory().url, "authorizations of orders", domain_.name})};
    ACMETOOL_TRY(left_over, client->state().load(key));
    if (left_over) acme::clean_up_after_crash(*left_over, *solver_, *context_);
    std::vector<acme::Authorization> authorizations;
    const auto scope = acme::scope_of_order(proof.identifiers);
    for (const auto& url : proof.authorizations) {
        ACMETOOL_TRY(authorization, client->fetch_authorization(url, scope, true));
        if (authorization.status == "valid") continue;
        // The order's parents may be above what this relay is for: nothing is published there because a CA
        // asks.
        if (!dns::same_name(authorization.identifier, domain_.name) &&
            !dns::is_subdomain_of(authorization.identifier, domain_.name))
            return fail(Errc::protocol,
                        fmt::format("the CA wants proof for {}, which is not in {}", authorization.identifier,
                                    domain_.name),
                        "authorize the parent with acme-preauth run, or report it to the CA's operator",
                        "otherIdentifier");
        authorizations.push_back(std::move(authorization));
    }
    if (authorizations.empty()) return {};
    const acme::Journal journal = [&](const std::vector<acme::ChallengeTask>& tasks) {
        Json entry{{"published", Json::array()}};
        for (const auto& task : tasks)
            entry["published"].push_back(acme::to_json(task));
        return client->state().save(key, entry);
    };
    ACMETOOL_TRY(seen, acme::fulfil(*client, std::move(authorizations), *solver_, journal));
    client->state().erase(key);
    for (const auto& authorization : seen)
        if (authorization.status != "valid")
            return fail(Errc::temporary,
                        fmt::format("{}: the CA has not validated it yet", authorization.identifier));
    return {};
}

void PreauthKeeper::Keeper::run()
{
    for (;;) {
        std::optional<Job> job;
        bool due = false;
        {
            std::unique_lock lock{mutex_};
            while (!stopping_ && jobs_.empty() && due_at_ > Steady::now()) {
                if (due_at_ == Steady::time_point::max())
                    changed_.wait(lock);
                else
                    changed_.wait_until(lock, Steady::time_point{due_at_});
            }
            if (stopping_) break;
            due = due_at_ <= Steady::now();
            if (!due) {
                job = std::move(jobs_.front());
                jobs_.pop_front();
            }
        }
        if (due) {
            obtain();
            continue;
        }
        context_->work_for(job->request_id);
        job->done(carry_out(job->proof));
    }
    for (const auto& job : jobs_)
        job.done(fail(base::interrupted_error(domain_.name)));
    for (const auto& waiting : waiting_)
        waiting.done(fail(base::interrupted_error(domain_.name)));
}

Result<std::unique_ptr<PreauthKeeper>> PreauthKeeper::make(const Options& options)
{
    ACMETOOL_TRY(account, acme::load_account(options.account_file));
    ACMETOOL_TRY(state, acme::StateDirectory::open({}, options.account_file));
    std::unique_ptr<PreauthKeeper> all{new PreauthKeeper};
    for (const auto& domain : options.domains) {
        ACMETOOL_TRY(solver, acme::make_solver(options.solver));
        std::optional<PreAuthorization> known;
        if (auto remembered = acme::remembered(state, account.directory, domain.name); remembered)
            known = std::move(*remembered);
        if (!known && !domain.authz_file.empty()) {
            ACMETOOL_TRY(text, store::read_file(domain.authz_file));
            auto parsed = acme::parse_preauth(text);
            if (!parsed) {
                parsed.error().code = Errc::config;
                return fail(with_context(std::move(parsed).error(), domain.authz_file));
            }
            known = std::move(*parsed);
        }
        all->keepers_[domain.name] =
            std::make_unique<Keeper>(domain, client_options_of(options), std::move(solver), std::move(known));
    }
    return all;
}

PreauthKeeper::~PreauthKeeper() = default;

void PreauthKeeper::start(IssuerHost& host)
{
    for (const auto& [domain, keeper] : keepers_)
        keeper->start(host);
}

void PreauthKeeper::when_ready(const std::string& domain, std::string request_id, Done done)
{
    if (const auto found = keepers_.find(domain); found != keepers_.end())
        found->second->when_ready(std::move(request_id), std::move(done));
    else
        done({});
}

void PreauthKeeper::fulfil(const std::string& domain, OrderedProof proof, std::string request_id, Done done)
{
    if (const auto found = keepers_.find(domain); found != keepers_.end())
        found->second->fulfil(std::move(proof), std::move(request_id), std::move(done));
    else
        done(fail(Errc::config, fmt::format("{} is no longer a configured domain", domain)));
}

Json PreauthKeeper::status()
{
    Json status = Json::object();
    for (const auto& [domain, keeper] : keepers_)
        status[domain] = keeper->status();
    return status;
}

} // namespace acmetool::ra
