#include "ra/acme_issuer.h"

#include <atomic>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "acme/client.h"
#include "acme/issue.h"
#include "acme/messages.h"
#include "acme/order.h"
#include "base/text.h"
#include "http/multi_client.h"
#include "ra/preauth_keeper.h"

namespace acmetool::ra
{
namespace
{

using acme::OrderFlow;
using base::Json;
using base::Milliseconds;
using Steady = std::chrono::steady_clock;

constexpr Milliseconds kFirstPoll{25};
constexpr Milliseconds kLongestPoll{60'000};
constexpr std::size_t kPollsPerSecond = 100;
constexpr std::chrono::seconds kDirectoryRetry{5};
constexpr std::chrono::hours kDirectoryLife{24};
constexpr std::size_t kMostListedOrders = 1000;
constexpr Milliseconds kIdle{60'000};

/// What other threads hand to the issuer's own. Outlives it, for those that come too late.
struct Inbox {
    std::mutex mutex;
    std::vector<std::function<void()>> messages;
    http::MultiClient* http = nullptr; ///< to wake; null once the issuer goes

    void post(std::function<void()> message)
    {
        const std::lock_guard lock{mutex};
        if (http == nullptr) return;
        messages.push_back(std::move(message));
        http->wake();
    }
};

/// An order between two looks at it: all that is kept of it.
struct Resting {
    IssuerOrder order;
    Steady::time_point began;
    bool authorized = false;
    bool resumed = false; ///< its URL comes from before this run
};

/// An order that is being worked on.
struct Active {
    Resting rest;
    OrderFlow flow;
    bool has_csr = false;
    std::string step;
    std::optional<acme::Exchange> exchange;
};
using ActivePtr = std::shared_ptr<Active>;

bool may_pass(const Error& error)
{
    return error.code == Errc::unavailable || error.code == Errc::temporary ||
           error.code == Errc::rate_limited || error.code == Errc::interrupted;
}

/// True if a failed newOrder left no order behind: the CA said no, or was never reached.
bool left_nothing(const Error& error)
{
    return !error.problem_type.empty() || error.reason == "connect" || error.reason == "resolve" ||
           error.reason == "tls" || error.code == Errc::config || error.code == Errc::rate_limited;
}

/// Ends waits once the issuer goes.
class StoppableContext final : public base::Context
{
public:
    explicit StoppableContext(const std::atomic<bool>& stopping) : stopping_(stopping) {}
    bool interrupted() const override { return stopping_; }

private:
    const std::atomic<bool>& stopping_;
};

class AcmeIssuer final : public Issuer
{
public:
    AcmeIssuer(const Options& options, acme::Session session, const http::CurlLibrary& curl,
               http::ClientOptions http_options, std::unique_ptr<PreauthKeeper> keeper)
        : options_(options), directory_url_(session.directory.url), session_(std::move(session)),
          http_(curl, std::move(http_options), options.limits.requests_in_flight), keeper_(std::move(keeper)),
          inbox_(std::make_shared<Inbox>())
    {
        inbox_->http = &http_;
    }
    ~AcmeIssuer() override;

    void attach(IssuerHost& host) override;
    void start(IssuerOrder order) override
    {
        inbox_->post([this, order = std::move(order)]() mutable { accept(std::move(order)); });
    }
    Json status() override;

private:
    void run();
    void run_messages();
    void run_timers();
    void need_directory();
    void take_directory(Result<http::Response> outcome);
    void accept(IssuerOrder order);
    void adopt();
    void begin_queued();
    void prepare(IssuerOrder order);
    void begin(const IssuerOrder& order);
    void send(http::Request request, const acme::Post& post, bool for_nonce, const std::string& request_id,
              http::MultiClient::Done done);
    void wake_up(Resting rest);
    void drive(const ActivePtr& active);
    void pump(const ActivePtr& active);
    void placed(const ActivePtr& active);
    Result<void> give_csr(Active& active);
    acme::OrderRequest request_for(const IssuerOrder& order) const;
    void rest(Resting resting, Milliseconds wait, bool asked_for);
    void authorize(const ActivePtr& active, std::vector<std::string> urls);
    void ended(const ActivePtr& active, Error error);
    void give_up(const IssuerOrder& order, Error error, bool over);
    void at(Steady::time_point when, std::function<void()> what) { timers_.emplace(when, std::move(what)); }
    base::TimePoint now() const { return context_.now(); }
    std::size_t most_active() const { return 2 * std::size_t{options_.limits.requests_in_flight}; }

    const Options options_;
    const std::string directory_url_;
    acme::Session session_; ///< its directory is empty until it was read
    http::MultiClient http_;
    std::unique_ptr<PreauthKeeper> keeper_;
    std::shared_ptr<Inbox> inbox_;
    std::atomic<bool> stopping_{false};
    StoppableContext context_{stopping_};
    IssuerHost* host_ = nullptr;

    // Of the issuer's thread alone.
    bool asking_directory_ = false;
    std::optional<Error> directory_error_;
    Steady::time_point directory_at_{}; ///< of the last answer, good or bad
    std::deque<IssuerOrder> queued_;
    std::deque<IssuerOrder> ready_;    ///< may be placed as soon as fewer are worked on
    std::vector<IssuerOrder> orphans_; ///< may have an order whose URL was lost
    bool adopting_ = false;
    std::set<ActivePtr> active_;
    std::multimap<Steady::time_point, Resting> resting_;
    std::multimap<Steady::time_point, std::function<void()>> timers_;

    std::mutex status_mutex_;
    std::optional<base::TimePoint> last_success_;
    std::optional<base::TimePoint> last_failure_;
    std::string failure_;
    std::atomic<std::size_t> resting_count_{0};
    std::atomic<std::size_t> active_count_{0};

    std::thread adopter_;
    std::thread thread_;
};

AcmeIssuer::~AcmeIssuer()
{
    stopping_ = true;
    http_.wake();
    if (thread_.joinable()) thread_.join();
    if (adopter_.joinable()) adopter_.join();
    keeper_.reset();
    const std::lock_guard lock{inbox_->mutex};
    inbox_->http = nullptr;
    inbox_->messages.clear();
}

void AcmeIssuer::attach(IssuerHost& host)
{
    host_ = &host;
    keeper_->start(host);
    thread_ = std::thread{[this] { run(); }};
}

void AcmeIssuer::run()
{
    while (!stopping_) {
        run_messages();
        run_timers();
        begin_queued();
        resting_count_ = resting_.size();
        active_count_ = active_.size();
        auto longest = kIdle;
        const auto until = [&](Steady::time_point when) {
            const auto left = std::chrono::ceil<Milliseconds>(when - Steady::now());
            longest = std::clamp(left, Milliseconds{0}, longest);
        };
        if (!timers_.empty()) until(timers_.begin()->first);
        if (!resting_.empty() && active_.size() < 2 * most_active()) until(resting_.begin()->first);
        http_.run(longest);
    }
}

void AcmeIssuer::run_messages()
{
    std::vector<std::function<void()>> messages;
    {
        const std::lock_guard lock{inbox_->mutex};
        messages.swap(inbox_->messages);
    }
    for (const auto& message : messages)
        message();
}

void AcmeIssuer::run_timers()
{
    const auto time = Steady::now();
    while (!timers_.empty() && timers_.begin()->first <= time)
        timers_.extract(timers_.begin()).mapped()();
    while (!resting_.empty() && resting_.begin()->first <= time && active_.size() < 2 * most_active())
        wake_up(std::move(resting_.extract(resting_.begin()).mapped()));
}

void AcmeIssuer::accept(IssuerOrder order)
{
    if (!order.url.empty())
        rest({std::move(order), Steady::now(), false, true}, kFirstPoll, false);
    else if (order.intended)
        orphans_.push_back(std::move(order));
    else
        queued_.push_back(std::move(order));
    adopt();
}

/// Sends, and tells the trace of it.
void AcmeIssuer::send(http::Request request, const acme::Post& post, bool for_nonce,
                      const std::string& request_id, http::MultiClient::Done done)
{
    if (!host_->traces()) return http_.send(std::move(request), std::move(done));
    auto asked = acme::request_message(request, post, for_nonce);
    asked.request_id = request_id;
    host_->message(asked);
    http_.send(std::move(request), [this, asked = std::move(asked), for_nonce,
                                    done = std::move(done)](Result<http::Response> outcome) {
        host_->message(acme::reply_message(asked, outcome, for_nonce));
        done(std::move(outcome));
    });
}

/// Looks in the account's list for the orders whose URLs were lost, once for all of them.
void AcmeIssuer::adopt()
{
    if (orphans_.empty() || adopting_) return;
    adopting_ = true;
    if (adopter_.joinable()) adopter_.join();
    adopter_ = std::thread{[this, orphans = std::exchange(orphans_, {})]() mutable {
        auto client_options = client_options_of(options_);
        client_options.timeout = Milliseconds{60'000};
        std::optional<Error> away;
        std::set<std::string> taken;
        auto client = acme::Client::open(client_options, context_);
        Result<std::vector<std::string>> urls =
            client ? acme::listed_orders(**client, kMostListedOrders) : tl::unexpected<Error>(client.error());
        if (!urls && may_pass(urls.error())) away = urls.error();
        if (urls)
            for (auto url = urls->rbegin(); url != urls->rend() && !stopping_; ++url) {
                if (host_->holds_order(*url) || !(*client)->directory().owns(*url)) continue;
                const auto reply = (*client)->post(acme::Post{"order", {}, *url, ""});
                const auto order =
                    reply ? acme::parse_order(reply->body, *url) : tl::unexpected<Error>(reply.error());
                if (!order || (order->status != "pending" && order->status != "ready")) continue;
                for (auto& orphan : orphans)
                    if (orphan.url.empty() && orphan.identifiers == order->identifiers) {
                        orphan.url = *url;
                        break;
                    }
            }
        inbox_->post([this, orphans = std::move(orphans), away]() mutable {
            adopting_ = false;
            for (auto& orphan : orphans) {
                if (!orphan.url.empty()) {
                    const std::weak_ptr<Inbox> inbox = inbox_;
                    host_->placed(orphan, [this, inbox, orphan] {
                        if (const auto still = inbox.lock())
                            still->post([this, orphan] {
                                rest({orphan, Steady::now(), false, true}, kFirstPoll, false);
                            });
                    });
                } else if (away) {
                    give_up(orphan, *away, false);
                } else {
                    orphan.intended = false; // a server without the list: an orphan may stay, unfinalized
                    queued_.push_back(std::move(orphan));
                }
            }
            adopt();
        });
    }};
}

void AcmeIssuer::need_directory()
{
    if (asking_directory_) return;
    asking_directory_ = true;
    http::Request request;
    request.url = session_.directory.url;
    send(std::move(request), acme::Post{"directory", {}, session_.directory.url, {}}, false, {},
         [this](Result<http::Response> outcome) { take_directory(std::move(outcome)); });
}

void AcmeIssuer::take_directory(Result<http::Response> outcome)
{
    asking_directory_ = false;
    directory_at_ = Steady::now();
    const auto url = session_.directory.url;
    Result<acme::Directory> read =
        !outcome ? Result<acme::Directory>{fail(with_context(outcome.error(), "directory"))}
        : outcome->status != 200
            ? Result<acme::Directory>{fail(with_context(acme::error_of(*outcome, now()), "directory"))}
            : acme::parse_directory(outcome->body, url);
    if (read && !read->owns(session_.account_url))
        read = fail(Errc::config, fmt::format("the account {} is not one of {}", session_.account_url, url),
                    "register again", "foreignUrl");
    if (read) {
        session_.directory = std::move(*read);
        directory_error_.reset();
        return;
    }
    directory_error_ = read.error();
    for (const auto& order : std::exchange(queued_, {}))
        give_up(order, *directory_error_, true);
}

void AcmeIssuer::begin_queued()
{
    if (queued_.empty() && ready_.empty() && resting_.empty()) return;
    const bool known = !session_.directory.new_order.empty();
    const auto age = Steady::now() - directory_at_;
    if (!known || age > kDirectoryLife) {
        if (directory_error_ && age < kDirectoryRetry) {
            for (const auto& order : std::exchange(queued_, {}))
                give_up(order, *directory_error_, true);
            if (!known) at(directory_at_ + kDirectoryRetry, [] {});
        } else {
            need_directory();
        }
        if (!known) return;
    }
    for (auto& order : std::exchange(queued_, {}))
        prepare(std::move(order));
    while (!ready_.empty() && active_.size() < most_active()) {
        const auto order = std::move(ready_.front());
        ready_.pop_front();
        begin(order);
    }
}

acme::OrderRequest AcmeIssuer::request_for(const IssuerOrder& order) const
{
    acme::OrderRequest request;
    request.identifiers = order.identifiers;
    request.profile = order.profile;
    // Without a pre-authorization, the solver's domain is the one that can be proven (RFC 9444 section 4.3).
    for (const auto& domain : options_.domains)
        if (domain.name == order.domain && !domain.preauthorize && session_.directory.subdomain_auth_allowed)
            request.ancestor_domains = {domain.name};
    return request;
}

Result<void> AcmeIssuer::give_csr(Active& active)
{
    ACMETOOL_TRY(der, host_->csr(active.rest.order.id));
    ACMETOOL_TRY(csr, crypto::parse_csr(as_text(der)));
    if (csr.key.same_public_key(session_.key))
        return fail(Errc::bad_input, "the CSR's key is the ACME account's key", {}, "accountKeyInCsr");
    auto request = request_for(active.rest.order);
    request.csr = std::move(csr.der);
    request.key = csr.key;
    OrderFlow flow{std::move(request), OrderFlow::Goal::downloaded};
    if (!active.flow.order().url.empty()) flow.resume(active.flow.order());
    active.flow = std::move(flow);
    active.has_csr = true;
    return {};
}

/// Waits for the authorization of the order's domain.
void AcmeIssuer::prepare(IssuerOrder order)
{
    const auto& profiles = session_.directory.profiles;
    if (!order.profile.empty() && !profiles.contains(order.profile)) {
        give_up(order,
                fail(Errc::config, fmt::format("profile \"{}\" is not one of the CA's", order.profile), {},
                     "invalidProfile")
                    .value(),
                true);
        return;
    }
    const std::weak_ptr<Inbox> inbox = inbox_;
    keeper_->when_ready(order.domain, order.request_id, [this, inbox, order](Result<void> ready) {
        const auto still = inbox.lock();
        if (!still) return;
        still->post([this, order, ready = std::move(ready)] {
            if (ready)
                ready_.push_back(order);
            else
                give_up(order, ready.error(), true);
        });
    });
}

void AcmeIssuer::begin(const IssuerOrder& order)
{
    auto active = std::make_shared<Active>(Active{{order, Steady::now(), false, false},
                                                  OrderFlow{request_for(order), OrderFlow::Goal::downloaded},
                                                  false,
                                                  {},
                                                  {}});
    active_.insert(active);
    if (auto given = give_csr(*active); !given) return ended(active, given.error());
    drive(active);
}

void AcmeIssuer::wake_up(Resting resting)
{
    if (session_.directory.new_order.empty()) {
        // Nothing can be sent yet; the directory is asked for as soon as anything rests.
        resting_.emplace(Steady::now() + kDirectoryRetry, std::move(resting));
        return;
    }
    auto request = request_for(resting.order);
    auto active = std::make_shared<Active>(Active{
        std::move(resting), OrderFlow{std::move(request), OrderFlow::Goal::downloaded}, false, {}, {}});
    active->flow.resume(active->rest.order.url);
    if (active->rest.authorized) active->flow.authorized();
    active_.insert(active);
    drive(active);
}

void AcmeIssuer::drive(const ActivePtr& active)
{
    const auto& status = active->flow.order().status;
    if (!active->has_csr && (status == "ready" || status == "valid"))
        if (auto given = give_csr(*active); !given) return ended(active, given.error());
    auto action = active->flow.next(session_.directory);
    if (!action) return ended(active, std::move(action).error());
    if (auto* send = std::get_if<OrderFlow::Send>(&*action)) {
        active->step = send->post.step;
        active->exchange.emplace(session_, std::move(send->post));
        pump(active);
    } else if (const auto* pause = std::get_if<OrderFlow::Pause>(&*action)) {
        auto resting = std::move(active->rest);
        resting.order.url = active->flow.order().url;
        active_.erase(active);
        if (pause->asked_for)
            host_->deferred(resting.order.id, std::chrono::ceil<std::chrono::seconds>(pause->duration));
        rest(std::move(resting), pause->duration, pause->asked_for);
    } else if (auto* pending = std::get_if<OrderFlow::Authorize>(&*action)) {
        authorize(active, std::move(pending->authorizations));
    } else {
        {
            const std::lock_guard lock{status_mutex_};
            last_success_ = now();
        }
        active_.erase(active);
        host_->issued(active->rest.order.id, active->flow.chain());
    }
}

void AcmeIssuer::pump(const ActivePtr& active)
{
    auto& exchange = *active->exchange;
    if (exchange.result()) {
        const auto result = *exchange.result();
        active->exchange.reset();
        auto taken = active->flow.take(result, now());
        if (active->step == "newOrder" && !active->flow.order().url.empty()) return placed(active);
        if (!taken) return ended(active, std::move(taken).error());
        return drive(active);
    }
    auto next = exchange.next();
    if (!next) return ended(active, std::move(next).error());
    if (const auto* pause = std::get_if<acme::Exchange::Pause>(&*next)) {
        at(Steady::now() + pause->duration, [this, active] { pump(active); });
        return;
    }
    auto& to_send = std::get<acme::Exchange::Send>(*next);
    send(std::move(to_send.request), exchange.post(), to_send.is_nonce_request, active->rest.order.request_id,
         [this, active](Result<http::Response> outcome) {
             active->exchange->take(std::move(outcome), now());
             pump(active);
         });
}

void AcmeIssuer::placed(const ActivePtr& active)
{
    active->rest.order.url = active->flow.order().url;
    const std::weak_ptr<Inbox> inbox = inbox_;
    host_->placed(active->rest.order, [this, inbox, active] {
        const auto still = inbox.lock();
        if (!still) return;
        still->post([this, active] {
            // A reply whose order could not be read is read again, by its URL.
            if (active->flow.order().status.empty()) active->flow.resume(active->rest.order.url);
            drive(active);
        });
    });
}

/// Sets an order aside: for the time that the CA named, or a share of its age; longer where many rest.
void AcmeIssuer::rest(Resting resting, Milliseconds wait, bool asked_for)
{
    const auto age = std::chrono::duration_cast<Milliseconds>(Steady::now() - resting.began);
    const auto spread = Milliseconds{resting_.size() * 1000 / kPollsPerSecond};
    if (!asked_for) wait = std::max(wait, std::min(age / 3, kLongestPoll));
    resting_.emplace(Steady::now() + std::max({wait, kFirstPoll, spread}), std::move(resting));
}

void AcmeIssuer::authorize(const ActivePtr& active, std::vector<std::string> urls)
{
    auto resting = std::move(active->rest);
    resting.order.url = active->flow.order().url;
    active_.erase(active);
    const auto domain = resting.order.domain;
    const auto request_id = resting.order.request_id;
    const std::weak_ptr<Inbox> inbox = inbox_;
    keeper_->fulfil(domain, std::move(urls), request_id,
                    [this, inbox, resting = std::move(resting)](Result<void> done) mutable {
                        const auto still = inbox.lock();
                        if (!still) return;
                        still->post([this, resting = std::move(resting), done = std::move(done)]() mutable {
                            if (!done && done.error().code == Errc::interrupted)
                                return; // the next run continues
                            if (!done)
                                return give_up(resting.order, done.error(),
                                               done.error().reason == "validationFailed");
                            resting.authorized = true;
                            rest(std::move(resting), Milliseconds{0}, false);
                        });
                    });
}

void AcmeIssuer::ended(const ActivePtr& active, Error error)
{
    active_.erase(active);
    auto resting = std::move(active->rest);
    const auto& order = active->flow.order();
    if (order.url.empty()) return give_up(resting.order, error, left_nothing(error));
    resting.order.url = order.url;
    if (may_pass(error) && order.status != "invalid") {
        // The order is there, and so it stays pending: the CA's absence ends nothing.
        const auto wait = error.retry_after.value_or(std::chrono::seconds{1});
        {
            const std::lock_guard lock{status_mutex_};
            last_failure_ = now();
            failure_ = error.message;
        }
        rest(std::move(resting), wait, error.retry_after.has_value());
        return;
    }
    const bool gone = order.status == "invalid" || (order.status.empty() && error.code == Errc::refused);
    if (gone && resting.resumed) {
        // What an earlier run left cannot be finished: begin anew, once.
        host_->event({{"event", "order"},
                      {"level", "info"},
                      {"order", order.url},
                      {"id", resting.order.id},
                      {"request_id", resting.order.request_id},
                      {"text", fmt::format("of no use any more ({}): a new one is placed", error.message)}});
        resting.order.url.clear();
        queued_.push_back(std::move(resting.order));
        return;
    }
    give_up(resting.order, std::move(error), gone);
}

void AcmeIssuer::give_up(const IssuerOrder& order, Error error, bool over)
{
    {
        const std::lock_guard lock{status_mutex_};
        last_failure_ = now();
        failure_ = error.message;
    }
    host_->failed(order.id, std::move(error), over);
}

Json AcmeIssuer::status()
{
    Json status{{"directory", directory_url_},
                {"account", options_.account_file},
                {"active", active_count_.load()},
                {"resting", resting_count_.load()},
                {"authorizations", keeper_->status()}};
    const std::lock_guard lock{status_mutex_};
    if (last_success_) status["lastSuccess"] = base::to_rfc3339(*last_success_);
    if (last_failure_) {
        status["lastFailure"] = base::to_rfc3339(*last_failure_);
        status["lastError"] = failure_;
    }
    return status;
}

} // namespace

Result<crypto::Key> load_account_key(const Options& options, const acme::AccountFile& account)
{
    ACMETOOL_TRY(passphrase, acme::read_passphrase(options.account_passphrase_file));
    auto key = acme::load_account_key(acme::beside(options.account_file, account.key_file), passphrase);
    if (!key && key.error().reason == "encryptedKey")
        key.error().hint = "account_passphrase_file in [acme] names the file with its passphrase";
    return key;
}

Result<std::unique_ptr<Issuer>> make_acme_issuer(const Options& options)
{
    ACMETOOL_TRY(account, acme::load_account(options.account_file));
    ACMETOOL_TRY(key, load_account_key(options, account));
    ACMETOOL_TRY(keeper, PreauthKeeper::make(options));
    acme::Session session;
    session.directory.url = account.directory;
    session.key = key;
    session.account_url = account.url;
    session.most_nonces = 2 * std::size_t{options.limits.requests_in_flight};
    http::ClientOptions http_options;
    http_options.ca_file = acme::beside(options.account_file, account.ca_file);
    ACMETOOL_TRY(curl, http::curl_library());
    return std::make_unique<AcmeIssuer>(options, std::move(session), *curl, std::move(http_options),
                                        std::move(keeper));
}

} // namespace acmetool::ra
