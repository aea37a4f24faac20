#include "ra/acme_issuer.h"

#include <algorithm>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "acme/client.h"
#include "acme/messages.h"
#include "acme/order_task.h"
#include "base/spread.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "crypto/key_uri.h"
#include "ra/acme_issuer_impl.h"
#include "store/configured.h"

namespace acmetool::ra
{
namespace
{

using base::Json;
using base::Milliseconds;
constexpr std::chrono::hours kDirectoryLife{24};
constexpr std::size_t kMostListedOrders = 1000;

} // namespace

AcmeIssuer::AcmeIssuer(const Options& options, acme::Session session, std::unique_ptr<http::MultiClient> http,
                       std::unique_ptr<PreauthKeeper> keeper)
    : options_(options), directory_url_(session.directory.url), session_(std::move(session)),
      keeper_(std::move(keeper)), adopter_({.name = "ra-adopt"}), worker_("ra-acme", [&] {
          auto wait = std::make_unique<http::MultiClientWait>();
          http_ = &wait->add(std::move(http));
          return wait;
      }())
{
}

AcmeIssuer::~AcmeIssuer()
{
    stopping_.request();
}

void AcmeIssuer::attach(IssuerHost& host)
{
    host_ = &host;
    keeper_->start(host);
}

void AcmeIssuer::start(IssuerOrder order)
{
    worker_.post(in_turn([this, order = std::move(order)] { accept(order); }));
}

/// Begins what there is room for, and asks for the next turn.
void AcmeIssuer::advance()
{
    wake_rested();
    begin_queued();
    resting_count_ = resting_.size();
    active_count_ = active_.size();
    queued_count_ = queued_.size() + ready_.size() + orphans_.size();
    auto next = Steady::time_point::max();
    if (!resting_.empty() && takes_rested()) next = resting_.begin()->first;
    // While there is no directory it is asked for again and again, if anything needs it.
    const bool needs_directory = !queued_.empty() || !ready_.empty() || !resting_.empty();
    if (needs_directory && session_.directory.new_order.empty() && !asking_directory_)
        next = std::min(next, std::max(directory_at_ + kDirectoryRetry, held_until_));
    if (timer_ != 0 && timer_at_ == next) return;
    worker_.cancel(std::exchange(timer_, 0));
    timer_at_ = next;
    if (next == Steady::time_point::max()) return;
    timer_ = worker_.at(next, in_turn([this] { timer_ = 0; }));
}

void AcmeIssuer::wake_rested()
{
    const auto time = Steady::now();
    while (!resting_.empty() && resting_.begin()->first <= time && takes_rested())
        wake_up(std::move(resting_.extract(resting_.begin()).mapped()));
}

void AcmeIssuer::accept(IssuerOrder order)
{
    // It may have been placed or finalized just now, which is not stored: a replica may not have it yet.
    if (!order.url.empty())
        rest({std::move(order), Steady::now(), false, true, {.just_created = true}}, kFirstPoll, false);
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
    auto compared = [this, done = std::move(done)](Result<http::Response> outcome) {
        compare_clocks(outcome);
        done(std::move(outcome));
    };
    if (!host_->traces()) return http_->send(std::move(request), in_turn(std::move(compared)));
    auto asked = acme::request_message(request, post, for_nonce);
    asked.request_id = request_id;
    host_->message(asked);
    http_->send(std::move(request),
                in_turn([this, asked = std::move(asked), for_nonce,
                         done = std::move(compared)](Result<http::Response> outcome) mutable {
                    host_->message(acme::reply_message(asked, outcome, for_nonce));
                    done(std::move(outcome));
                }));
}

void AcmeIssuer::compare_clocks(const Result<http::Response>& outcome)
{
    const auto header = outcome ? http::find(outcome->headers, "date") : std::nullopt;
    if (!header) return;
    const auto date = base::parse_http_date(*header);
    if (!date) return;
    const std::lock_guard lock{status_mutex_};
    clock_offset_ = now() - *date;
}

/// Looks in the account's list for the orders whose URLs were lost, once for all of them.
void AcmeIssuer::adopt()
{
    if (orphans_.empty() || adopting_) return;
    auto back = back_here([this](std::vector<IssuerOrder> orphans, const std::optional<Error>& away) {
        adopted(std::move(orphans), away);
    });
    adopting_ =
        adopter_.post([this, back = std::move(back), orphans = std::exchange(orphans_, {})]() mutable {
            std::optional<Error> away;
            find_urls(orphans, away);
            back(std::move(orphans), std::move(away));
        });
}

/// Gives each of the orphans the URL of an order of the account for the same names, if there is one. `away`:
/// the CA cannot be asked now. On the adopter's thread.
void AcmeIssuer::find_urls(std::vector<IssuerOrder>& orphans, std::optional<Error>& away)
{
    auto client_options = client_options_of(options_);
    client_options.timeout = Milliseconds{60'000};
    auto client = acme::Client::open(client_options, context_);
    Result<std::vector<std::string>> urls =
        client ? acme::listed_orders(**client, kMostListedOrders) : tl::unexpected<Error>(client.error());
    if (!urls && may_pass(urls.error())) away = urls.error();
    if (!urls) return;
    for (auto url = urls->rbegin(); url != urls->rend() && !stopping_.requested(); ++url) {
        if (host_->holds_order(*url) || !(*client)->directory().owns(*url)) continue;
        const auto reply = (*client)->post(acme::Post{acme::Step::order, {}, *url, ""});
        const auto order =
            reply ? acme::parse_order(reply->body, *url) : tl::unexpected<Error>(reply.error());
        if (!order || (order->status != "pending" && order->status != "ready")) continue;
        const auto orphan = std::find_if(orphans.begin(), orphans.end(), [&](const IssuerOrder& one) {
            return one.url.empty() && one.identifiers == order->identifiers;
        });
        if (orphan != orphans.end()) orphan->url = *url;
    }
}

void AcmeIssuer::adopted(std::vector<IssuerOrder> orphans, const std::optional<Error>& away)
{
    adopting_ = false;
    for (auto& orphan : orphans) {
        if (!orphan.url.empty()) {
            host_->placed(orphan, back_here([this, orphan](bool is_ours) {
                              if (is_ours) rest({orphan, Steady::now(), false, true}, kFirstPoll, false);
                          }));
        } else if (away) {
            give_up(orphan, *away, false);
        } else {
            orphan.intended = false; // a server without the list: an orphan may stay, unfinalized
            queued_.push_back(std::move(orphan));
        }
    }
    adopt();
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
    heed(read.error());
    for (const auto& order : std::exchange(queued_, {}))
        give_up(order, *directory_error_, true);
}

/// 503 with Retry-After is for all orders: no other one is placed before that time, here or by another
/// process on the store. A rate limit may be one of the order's names, and is for its device alone.
void AcmeIssuer::heed(const Error& error)
{
    if (error.code != Errc::temporary || !error.retry_after) return;
    const auto life = base::spread_after(*error.retry_after);
    const auto until = Steady::now() + life;
    if (until <= held_until_) return;
    held_until_ = until;
    held_by_ = error;
    host_->held(directory_url_, life);
}

void AcmeIssuer::hold(const std::string& ca, std::chrono::seconds life, const std::string& told)
{
    if (ca != directory_url_) return;
    worker_.post(in_turn([this, life, told] {
        // In whole seconds: what this issuer told the store itself may come back a second longer.
        const auto until = Steady::now() + life;
        if (until <= held_until_ + std::chrono::seconds{1}) return;
        Error error;
        error.code = Errc::temporary;
        error.message = fmt::format("the CA told the relay {} to wait, which holds for all relays", told);
        held_until_ = until;
        held_by_ = std::move(error);
    }));
}

/// Whoever would place an order now is told what the CA said.
bool AcmeIssuer::gives_up_held()
{
    const auto left = held_until_ - Steady::now();
    if (left <= Steady::duration::zero()) return false;
    auto error = *held_by_;
    error.retry_after = std::chrono::ceil<std::chrono::seconds>(left);
    for (const auto& order : std::exchange(queued_, {}))
        give_up(order, error, true);
    for (const auto& [rank, order] : std::exchange(ready_, {}))
        give_up(order, error, true);
    return true;
}

void AcmeIssuer::line_up(IssuerOrder order)
{
    const auto rank = order.renews.value_or(base::TimePoint::min());
    ready_.emplace(rank, std::move(order));
}

void AcmeIssuer::begin_queued()
{
    if (queued_.empty() && ready_.empty() && resting_.empty()) return;
    const bool is_held = gives_up_held();
    const bool known = !session_.directory.new_order.empty();
    const auto age = Steady::now() - directory_at_;
    if (!known || age > kDirectoryLife) {
        if (directory_error_ && age < kDirectoryRetry) {
            for (const auto& order : std::exchange(queued_, {}))
                give_up(order, *directory_error_, true);
        } else if (!is_held) {
            need_directory();
        }
        if (!known) return;
    }
    for (auto& order : std::exchange(queued_, {}))
        prepare(std::move(order));
    while (!ready_.empty() && active_.size() < most_active()) {
        begin(ready_.extract(ready_.begin()).mapped());
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
    keeper_->when_ready(order.domain, order.request_id, back_here([this, order](const Result<void>& ready) {
                            if (ready)
                                line_up(order);
                            else
                                give_up(order, ready.error(), true);
                        }));
}

void AcmeIssuer::give_up(const IssuerOrder& order, Error error, bool over)
{
    outcomes_.failed(now(), error.message);
    host_->failed(order.id, std::move(error), over);
}

Json AcmeIssuer::status()
{
    Json status{{"directory", directory_url_},    {"account", options_.account_file},
                {"active", active_count_.load()}, {"resting", resting_count_.load()},
                {"queued", queued_count_.load()}, {"authorizations", keeper_->status()}};
    outcomes_.add_to(status);
    const std::lock_guard lock{status_mutex_};
    if (clock_offset_) status["clockOffset"] = clock_offset_->count();
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
    auto client = std::make_unique<http::MultiClient>(*curl, std::move(http_options),
                                                      options.limits.requests_in_flight);
    return std::make_unique<AcmeIssuer>(options, std::move(session), std::move(client), std::move(keeper));
}

Result<Bytes> digest_of_acme_files(const Options& options)
{
    ACMETOOL_TRY(account, acme::load_account(options.account_file));
    const auto key = acme::beside(options.account_file, account.key_file);
    std::string digests;
    for (const auto& file :
         {options.account_file, key, options.account_passphrase_file, options.solver.tsig_key}) {
        if (file.empty() || crypto::is_key_uri(file)) continue;
        ACMETOOL_TRY(content, store::read_configured_secret(file, file));
        digests += as_text(crypto::sha256(as_bytes(content.reveal())));
    }
    return crypto::sha256(as_bytes(digests));
}

} // namespace acmetool::ra
