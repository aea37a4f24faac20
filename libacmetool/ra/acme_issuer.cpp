#include "ra/acme_issuer.h"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "acme/client.h"
#include "acme/messages.h"
#include "acme/order_task.h"
#include "base/text.h"
#include "ra/acme_issuer_impl.h"

namespace acmetool::ra
{
namespace
{

using base::Json;
using base::Milliseconds;
using Steady = std::chrono::steady_clock;

constexpr std::chrono::hours kDirectoryLife{24};
constexpr std::size_t kMostListedOrders = 1000;
constexpr Milliseconds kIdle{60'000};

} // namespace

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
                const auto reply = (*client)->post(acme::Post{acme::Step::order, {}, *url, ""});
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
    send(std::move(request), acme::Post{acme::Step::directory, {}, session_.directory.url, {}}, false, {},
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

Result<crypto::Key> load_account_key(const Options& options, const acme::AccountFile& account)
{
    ACMETOOL_TRY(passphrase, acme::read_passphrase(options.account_passphrase_file));
    auto key = acme::load_account_key(acme::beside(options.account_file, account.key_file), passphrase);
    if (!key && key.error().reason == Cause::encrypted_key)
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
