#include <algorithm>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/spread.h"
#include "crypto/request_info.h"
#include "ra/acme_issuer_impl.h"

namespace acmetool::ra
{
namespace
{

using acme::OrderFlow;
using base::Milliseconds;

constexpr Milliseconds kLongestPoll{60'000};
constexpr std::size_t kPollsPerSecond = 100;
constexpr Milliseconds kStoreRetry{1000};

/// True if a failed newOrder left no order behind: the CA said no, or was never reached.
bool left_nothing(const Error& error)
{
    return !error.problem_type.empty() || error.reason == Cause::connect || error.reason == Cause::resolve ||
           error.reason == Cause::tls || error.code == Errc::config || error.code == Errc::rate_limited;
}

} // namespace

bool may_pass(const Error& error)
{
    return error.code == Errc::unavailable || error.code == Errc::temporary ||
           error.code == Errc::rate_limited || error.code == Errc::interrupted;
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
    ACMETOOL_TRY(key, crypto::requested_key(der));
    if (key.same_public_key(session_.key))
        return fail(Errc::bad_input, "the CSR's key is the ACME account's key", {}, "accountKeyInCsr");
    auto request = request_for(active.rest.order);
    request.csr = std::move(der);
    request.key = std::move(key);
    OrderFlow flow{std::move(request), OrderFlow::Goal::downloaded};
    if (!active.flow.order().url.empty()) flow.resume(active.flow.order(), active.flow.past());
    active.flow = std::move(flow);
    active.has_csr = true;
    return {};
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
    active->flow.resume(active->rest.order.url, active->rest.past);
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
        resting.past = active->flow.past();
        active_.erase(active);
        if (pause->asked_for)
            host_->deferred(resting.order.id, std::chrono::ceil<std::chrono::seconds>(pause->duration));
        rest(std::move(resting), pause->duration, pause->asked_for);
    } else if (auto* pending = std::get_if<OrderFlow::Authorize>(&*action)) {
        authorize(active, std::move(pending->authorizations));
    } else {
        outcomes_.succeeded(now());
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
        if (active->doubt) return end(active, std::move(*active->doubt), acme::account_is_valid(result));
        auto taken = active->flow.take(result, now());
        if (active->step == acme::Step::new_order && !active->flow.order().url.empty()) return placed(active);
        if (!taken) return ended(active, std::move(taken).error());
        return drive(active);
    }
    auto next = exchange.next();
    if (!next) return ended(active, std::move(next).error());
    if (const auto* pause = std::get_if<acme::Exchange::Pause>(&*next)) {
        worker_.at(Steady::now() + pause->duration, in_turn([this, active] { pump(active); }));
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
    host_->placed(active->rest.order, back_here([this, active](bool is_ours) {
                      if (!is_ours) {
                          active_.erase(active);
                          return;
                      }
                      // A reply whose order could not be read is read again, by its URL.
                      if (active->flow.order().status.empty())
                          active->flow.resume(active->rest.order.url, active->flow.past());
                      drive(active);
                  }));
}

/// Sets an order aside: for the time that the CA named, or a share of its age; longer where many rest, but
/// not longer than it is old: one that has just been placed does not wait for those that wait for long.
void AcmeIssuer::rest(Resting resting, Milliseconds wait, bool asked_for)
{
    const auto age = std::chrono::duration_cast<Milliseconds>(Steady::now() - resting.began);
    const auto turn = std::min(Milliseconds{resting_.size() * 1000 / kPollsPerSecond}, age);
    // Not before the time that the CA named.
    wait = asked_for ? wait + base::spread(wait / 10)
                     : base::spread(std::max(wait, std::min(age / 3, kLongestPoll)));
    resting_.emplace(Steady::now() + std::max({wait, kFirstPoll, turn}), std::move(resting));
}

void AcmeIssuer::authorize(const ActivePtr& active, std::vector<std::string> urls)
{
    auto resting = std::move(active->rest);
    resting.order.url = active->flow.order().url;
    resting.past = active->flow.past();
    active_.erase(active);
    const auto domain = resting.order.domain;
    const auto request_id = resting.order.request_id;
    OrderedProof proof{resting.order.identifiers, std::move(urls)};
    keeper_->fulfil(domain, std::move(proof), request_id,
                    back_here([this, resting = std::move(resting)](const Result<void>& done) mutable {
                        if (!done && done.error().code == Errc::interrupted) return; // the next run continues
                        if (!done) {
                            // An order that failed validation is invalid; one that nothing here can prove
                            // asks for a proof of its own, even when the domain is authorized later.
                            const bool over = done.error().reason == Cause::validation_failed ||
                                              done.error().code == Errc::authorization_needed;
                            return give_up(resting.order, done.error(), over);
                        }
                        resting.authorized = true;
                        rest(std::move(resting), Milliseconds{0}, false);
                    }));
}

void AcmeIssuer::ended(const ActivePtr& active, Error error)
{
    const auto fate = active->flow.fate(error);
    // An order that was read by this account is there, whatever is refused afterwards.
    if (fate != OrderFlow::Fate::doubtful || !active->flow.order().status.empty() || active->doubt)
        return end(active, std::move(error), fate == OrderFlow::Fate::lost);
    active->doubt = std::move(error);
    active->step = acme::Step::account;
    active->exchange.emplace(session_, acme::Post{acme::Step::account, {}, session_.account_url, ""});
    pump(active);
}

void AcmeIssuer::end(const ActivePtr& active, Error error, bool is_lost)
{
    active_.erase(active);
    auto resting = std::move(active->rest);
    const auto& order = active->flow.order();
    resting.past = active->flow.past();
    if (error.reason == Cause::store_away) {
        // It says nothing of the order, and the device is not told of our database.
        resting.order.url = order.url;
        if (!order.url.empty()) return rest(std::move(resting), kStoreRetry, true);
        worker_.at(Steady::now() + kStoreRetry,
                   in_turn([this, again = std::move(resting.order)] { line_up(again); }));
        return;
    }
    if (order.url.empty()) {
        heed(error);
        return give_up(resting.order, error, left_nothing(error));
    }
    resting.order.url = order.url;
    if (may_pass(error) && order.status != "invalid") {
        // The order is there, and so it stays pending: the CA's absence ends nothing.
        const auto wait = error.retry_after.value_or(std::chrono::seconds{1});
        outcomes_.failed(now(), error.message);
        rest(std::move(resting), wait, error.retry_after.has_value());
        return;
    }
    if (is_lost && resting.resumed) {
        // What an earlier run left cannot be finished: begin anew, once.
        host_->event({{"event", "order"},
                      {"level", "info"},
                      {"order", order.url},
                      {"id", resting.order.id},
                      {"request_id", resting.order.request_id},
                      {"text", fmt::format("the earlier order cannot be used ({}): placing a new one",
                                           error.message)}});
        resting.order.url.clear();
        queued_.push_back(std::move(resting.order));
        return;
    }
    give_up(resting.order, std::move(error), is_lost);
}

} // namespace acmetool::ra
