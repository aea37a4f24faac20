#include "ra/preauth_keeper.h"

#include <algorithm>
#include <deque>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "acme/preauth_renewal.h"
#include "acme/solvers.h"
#include "base/text.h"
#include "store/atomic_file.h"

namespace acmetool::ra
{
namespace
{

using acme::PreAuthorization;
using base::Json;
using base::Milliseconds;

constexpr std::chrono::seconds kLongestObtained{300};
constexpr Milliseconds kBetweenLooks{500};

/// Of one domain, for what blocks.
class KeeperContext final : public StoppableContext
{
public:
    KeeperContext(const StopSignal& stopping, IssuerHost& host, const std::function<base::TimePoint()>& clock,
                  std::string domain)
        : StoppableContext(stopping), host_(host), clock_(clock), domain_(std::move(domain))
    {
    }
    /// What comes next is for this request; empty: for none in particular.
    void work_for(std::string request_id) { request_id_ = std::move(request_id); }

    base::TimePoint now() const override { return clock_(); }
    void log(base::Level level, std::string_view text) override
    {
        if (level > base::Level::info) return;
        Json event{{"event", "authorization"},
                   {"level", level == base::Level::info ? "info" : "warning"},
                   {"domain", domain_},
                   {"text", text}};
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
    IssuerHost& host_;
    const std::function<base::TimePoint()>& clock_;
    std::string domain_;
    std::string request_id_;
};

Error no_solver(const std::string& domain)
{
    return {.code = Errc::authorization_needed,
            .message = fmt::format("the CA wants proof for {}, and nothing here can give it", domain),
            .hint = "pre-authorize with acme-preauth run, or configure a solver ([dns])",
            .reason = "authorizationNeeded",
            .problem_type = {},
            .problem = {},
            .retry_after = {}};
}

} // namespace

acme::ClientOptions client_options_of(const Options& options)
{
    acme::ClientOptions client;
    client.account_file = options.account_file;
    client.passphrase = {options.account_passphrase_file, false};
    return client;
}

/// One domain. All but status() belongs to the worker's thread, and before start() and after the worker's end
/// to the thread that has the PreauthKeeper.
class PreauthKeeper::Keeper
{
public:
    Keeper(PreauthKeeper& all, Domain domain)
        : all_(all), domain_(std::move(domain.options)), prover_(std::move(domain.prover)),
          known_(std::move(domain.known)), retry_(all.pace_.first_retry)
    {
    }

    void start();
    void when_ready(std::string request_id, Done done);
    void fulfil(OrderedProof proof, std::string request_id, Done done);
    /// Begins what is to be done next, if nothing is under way.
    void advance();
    /// Tells those who wait that nothing comes.
    void interrupt();
    Json status();

private:
    using Steady = base::Worker::Clock;
    struct Job {
        OrderedProof proof;
        std::string request_id;
        Done done;
    };
    struct Waiting {
        std::string request_id;
        Done done;
    };

    bool obtains() const { return domain_.preauthorize && prover_ != nullptr; }
    bool is_usable() const;
    void plan();
    void obtain();
    void carry_out();
    void take(Result<PreAuthorization> got);
    Result<PreAuthorization> obtain_alone();
    void remember(Result<PreAuthorization>& got);
    void event(Json members);
    void warn(const Error& error, const char* level = "warning");
    void publish();

    PreauthKeeper& all_;
    const DomainOptions domain_;
    const std::unique_ptr<DomainProver> prover_;
    std::unique_ptr<KeeperContext> context_; ///< of the prover's present call

    std::optional<PreAuthorization> known_;
    std::optional<Error> error_;
    bool unsupported_ = false; ///< the CA has no newAuthz: orders are authorized one by one
    Milliseconds retry_;
    Steady::time_point due_at_ = Steady::time_point::max();
    std::optional<Steady::time_point> asked_at_; ///< when the prover's last obtain() ended
    base::Worker::Timer timer_ = 0;              ///< for due_at_
    bool busy_ = false;                          ///< the prover is at work
    std::vector<Waiting> waiting_;               ///< for the pre-authorization
    std::deque<Job> jobs_;
    std::optional<Job> current_; ///< what the prover is at work on, if it is an order's

    std::mutex status_mutex_;
    Json status_;
};

void PreauthKeeper::Keeper::event(Json members)
{
    members["event"] = "authorization";
    members["domain"] = domain_.name;
    all_.host_->event(std::move(members));
}

void PreauthKeeper::Keeper::warn(const Error& error, const char* level)
{
    Json members{{"level", level}, {"text", error.message}};
    if (!error.hint.empty()) members["hint"] = error.hint;
    event(std::move(members));
}

void PreauthKeeper::Keeper::start()
{
    context_ = std::make_unique<KeeperContext>(all_.stopping_, *all_.host_, all_.now_, domain_.name);
    plan();
    publish();
    // Whoever waits for the relay to be ready learns of it here as well.
    if (known_ && obtains() && due_at_ > Steady::now() && known_->authorization.status == "valid")
        event({{"level", "info"}, {"status", "valid"}, {"text", "obtained in an earlier run"}});
}

/// When the pre-authorization is looked at next.
void PreauthKeeper::Keeper::plan()
{
    if (!obtains() || unsupported_) return;
    const auto& pace = all_.pace_;
    const auto now = all_.now_();
    if (error_) {
        due_at_ = Steady::now() + retry_;
    } else if (!known_ || acme::is_due(*known_, domain_.renew_before, now)) {
        due_at_ = asked_at_ ? std::max(Steady::now(), *asked_at_ + pace.soonest) : Steady::now();
    } else {
        auto wait = pace.longest_sleep;
        if (known_->authorization.expires && known_->obtained)
            wait = domain_.renew_before.due(*known_->obtained, *known_->authorization.expires) - now;
        due_at_ = Steady::now() + std::clamp(wait, pace.soonest, pace.longest_sleep);
    }
}

void PreauthKeeper::Keeper::advance()
{
    all_.worker_.cancel(std::exchange(timer_, 0));
    if (busy_ || all_.stopping_.requested()) return;
    if (due_at_ <= Steady::now()) return obtain();
    if (!jobs_.empty()) return carry_out();
    if (due_at_ == Steady::time_point::max()) return;
    timer_ = all_.worker_.at(due_at_, [this] { advance(); });
}

bool PreauthKeeper::Keeper::is_usable() const
{
    return known_ && known_->authorization.status == "valid" &&
           (!known_->authorization.expires || *known_->authorization.expires > all_.now_());
}

void PreauthKeeper::Keeper::when_ready(std::string request_id, Done done)
{
    if (!obtains() || unsupported_ || is_usable())
        done({});
    else if (error_)
        done(fail(*error_));
    else
        waiting_.push_back({std::move(request_id), std::move(done)});
}

void PreauthKeeper::Keeper::fulfil(OrderedProof proof, std::string request_id, Done done)
{
    if (prover_ == nullptr) {
        const auto error = no_solver(domain_.name);
        warn(error, "error");
        return done(fail(error));
    }
    jobs_.push_back({std::move(proof), std::move(request_id), std::move(done)});
    // What was believed to be valid is not: look again, unless that was just done.
    if (known_ && known_->obtained && all_.now_() - *known_->obtained > all_.pace_.soonest && !error_)
        known_.reset();
    plan();
    publish();
    advance();
}

void PreauthKeeper::Keeper::obtain()
{
    // It is done for whoever waits first; for nobody if it is renewed in time.
    context_->work_for(waiting_.empty() ? std::string{} : waiting_.front().request_id);
    auto back = all_.worker_.bind([this](Result<PreAuthorization> got) { take(std::move(got)); });
    busy_ = all_.solvers_.post([this, back] { back(obtain_alone()); });
}

/// One relay at a time on a shared store: the next finds the authorization that this one obtained. On a
/// solver's thread.
Result<PreAuthorization> PreauthKeeper::Keeper::obtain_alone()
{
    const auto what = "authorization of " + domain_.name;
    const auto began = context_->steady_now();
    while (!all_.host_->lease(what, kLongestObtained))
        ACMETOOL_CHECK(
            context_->sleep(kBetweenLooks, {"another relay to authorize " + domain_.name, began, {}}));
    auto got = prover_->obtain(*context_);
    all_.host_->lease(what, std::chrono::seconds{0});
    return got;
}

void PreauthKeeper::Keeper::carry_out()
{
    current_ = std::move(jobs_.front());
    jobs_.pop_front();
    publish();
    context_->work_for(current_->request_id);
    auto back = all_.worker_.bind([this](Result<void> outcome) {
        busy_ = false;
        const auto done = std::move(current_->done);
        current_.reset();
        done(std::move(outcome));
        advance();
    });
    busy_ = all_.solvers_.post(
        [this, back, proof = current_->proof] { back(prover_->fulfil(proof, *context_)); });
}

void PreauthKeeper::Keeper::take(Result<PreAuthorization> got)
{
    busy_ = false;
    asked_at_ = Steady::now();
    if (got && got->authorization.status != "valid")
        got = fail(Errc::temporary, fmt::format("{}: the CA has not validated it yet", domain_.name));
    remember(got);
    plan();
    publish();
    if (!got)
        warn(got.error());
    else if (known_->lacks_subdomains())
        event({{"level", "warning"},
               {"text", fmt::format("the CA does not extend the authorization of {} to its subdomains; each "
                                    "order is authorized by itself",
                                    domain_.name)}});
    else
        event({{"level", "info"}, {"status", "valid"}});
    const auto outcome = error_ ? Result<void>{fail(*error_)} : Result<void>{};
    for (const auto& waiting : std::exchange(waiting_, {}))
        waiting.done(outcome);
    advance();
}

void PreauthKeeper::Keeper::remember(Result<PreAuthorization>& got)
{
    if (got) {
        known_ = *got;
        error_.reset();
        retry_ = all_.pace_.first_retry;
    } else if (got.error().reason == Cause::new_authz_unsupported) {
        unsupported_ = true;
        error_.reset();
        due_at_ = Steady::time_point::max();
    } else {
        retry_ = error_ ? std::min(retry_ * 2, all_.pace_.longest_retry) : all_.pace_.first_retry;
        if (const auto asked = got.error().retry_after) retry_ = std::max<Milliseconds>(retry_, *asked);
        error_ = with_context(got.error(), fmt::format("pre-authorization of {}", domain_.name));
        error_->retry_after = std::chrono::ceil<std::chrono::seconds>(retry_);
    }
}

void PreauthKeeper::Keeper::interrupt()
{
    const auto error = base::interrupted_error(domain_.name);
    if (current_) current_->done(fail(error));
    for (const auto& job : jobs_)
        job.done(fail(error));
    for (const auto& waiting : waiting_)
        waiting.done(fail(error));
}

/// Leaves the present state for status().
void PreauthKeeper::Keeper::publish()
{
    Json status{{"preauthorize", domain_.preauthorize}};
    if (known_) {
        status["status"] = known_->authorization.status;
        status["subdomainAuthAllowed"] = known_->authorization.subdomain_auth_allowed;
        if (known_->authorization.expires)
            status["expires"] = base::to_rfc3339(*known_->authorization.expires);
        if (known_->obtained) status["obtained"] = base::to_rfc3339(*known_->obtained);
    }
    if (error_) status["error"] = error_->message;
    if (unsupported_) status["status"] = "unsupported";
    if (!jobs_.empty()) status["waiting"] = jobs_.size();
    const std::lock_guard lock{status_mutex_};
    status_.swap(status);
}

Json PreauthKeeper::Keeper::status()
{
    const std::lock_guard lock{status_mutex_};
    return status_;
}

Result<std::unique_ptr<PreauthKeeper>> PreauthKeeper::make(const Options& options)
{
    ACMETOOL_TRY(account, acme::load_account(options.account_file));
    ACMETOOL_TRY(state, acme::StateDirectory::open({}, options.account_file));
    std::vector<Domain> domains;
    for (const auto& one : options.domains) {
        Domain domain{one, nullptr, std::nullopt};
        ACMETOOL_TRY(solver, acme::make_solver(options.solver));
        if (solver)
            domain.prover = make_domain_prover(one.name, client_options_of(options), std::move(solver));
        if (auto remembered = acme::remembered(state, account.directory, one.name); remembered)
            domain.known = std::move(*remembered);
        if (!domain.known && !one.authz_file.empty()) {
            ACMETOOL_TRY(text, store::read_file(one.authz_file));
            auto parsed = acme::parse_preauth(text);
            if (!parsed) {
                parsed.error().code = Errc::config;
                return fail(with_context(std::move(parsed).error(), one.authz_file));
            }
            domain.known = std::move(*parsed);
        }
        domains.push_back(std::move(domain));
    }
    return std::make_unique<PreauthKeeper>(std::move(domains));
}

PreauthKeeper::PreauthKeeper(std::vector<Domain> domains)
    : PreauthKeeper(std::move(domains), Pace{}, [] { return base::now(); })
{
}

PreauthKeeper::PreauthKeeper(std::vector<Domain> domains, const Pace& pace,
                             std::function<base::TimePoint()> now)
    : pace_(pace), now_(std::move(now)),
      solvers_({.name = "solver", .threads = domains.size(), .queue = domains.size()}), worker_("keeper")
{
    for (auto& domain : domains) {
        const auto name = domain.options.name;
        keepers_[name] = std::make_unique<Keeper>(*this, std::move(domain));
    }
}

PreauthKeeper::~PreauthKeeper()
{
    stopping_.request();
    solvers_.stop();
    worker_.stop();
    for (const auto& [domain, keeper] : keepers_)
        keeper->interrupt();
}

void PreauthKeeper::start(IssuerHost& host)
{
    host_ = &host;
    for (const auto& [domain, keeper] : keepers_)
        keeper->start();
    for (const auto& [domain, keeper] : keepers_)
        worker_.post([raw = keeper.get()] { raw->advance(); });
}

/// Null if the domain is not configured. The map does not change.
PreauthKeeper::Keeper* PreauthKeeper::find(const std::string& domain)
{
    const auto found = keepers_.find(domain);
    return found == keepers_.end() ? nullptr : found->second.get();
}

void PreauthKeeper::when_ready(const std::string& domain, std::string request_id, Done done)
{
    auto* const keeper = find(domain);
    if (keeper == nullptr) return done({});
    worker_.post([keeper, request_id = std::move(request_id), done = std::move(done)] {
        keeper->when_ready(request_id, done);
    });
}

void PreauthKeeper::fulfil(const std::string& domain, OrderedProof proof, std::string request_id, Done done)
{
    auto* const keeper = find(domain);
    if (keeper == nullptr)
        return done(fail(Errc::config, fmt::format("{} is no longer a configured domain", domain)));
    worker_.post([keeper, proof = std::move(proof), request_id = std::move(request_id),
                  done = std::move(done)] { keeper->fulfil(proof, request_id, done); });
}

Json PreauthKeeper::status()
{
    Json status = Json::object();
    for (const auto& [domain, keeper] : keepers_)
        status[domain] = keeper->status();
    return status;
}

} // namespace acmetool::ra
