#include "acme/order.h"

#include <algorithm>
#include <array>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/base64url.h"
#include "base/json.h"
#include "base/text.h"
#include "base/word.h"
#include "dns/name.h"

namespace acmetool::acme
{
namespace
{

using base::Json;
using base::Milliseconds;

/// A CA that issues immediately does so within a few milliseconds; the wait doubles with each poll.
constexpr Milliseconds kFirstPoll{5};
/// After a failure, and if the server's Retry-After is very short.
constexpr Milliseconds kShortestWait{25};
constexpr Milliseconds kLongestPoll{5000};
constexpr int kMostFinalizeFailures = 10;

tl::unexpected<Error> protocol_error(std::string message, Reason reason)
{
    return fail(Errc::protocol, std::move(message), "the CA violates RFC 8555: report it to its operator",
                std::move(reason));
}

std::vector<crypto::Identifier> read_identifiers(const Json& object)
{
    std::vector<crypto::Identifier> identifiers;
    const auto list = object.find("identifiers");
    if (list == object.end() || !list->is_array()) return identifiers;
    for (const auto& entry : *list)
        identifiers.push_back({base::string_member(entry, "type").value_or(""),
                               base::to_lower(base::string_member(entry, "value").value_or(""))});
    std::sort(identifiers.begin(), identifiers.end());
    return identifiers;
}

/// True if newOrder may have failed for its `replaces`: the CA has replaced that certificate, does not know
/// it, assigns it to another account or other names, or fails (5xx) at it. CAs differ in the error, so every
/// one counts that does not name another cause.
bool blames_replaces(const Error& error)
{
    constexpr std::array kOtherCauses{Cause::account_does_not_exist, Cause::bad_nonce, Cause::rate_limited,
                                      Cause::user_action_required};
    if (error.code != Errc::refused && error.code != Errc::unavailable) return false;
    if (std::any_of(kOtherCauses.begin(), kOtherCauses.end(), [&](Cause c) { return error.reason == c; }))
        return false;
    // A failure of the connection has a reason and no problem.
    return !error.problem_type.empty() || error.reason.empty();
}

bool is_finalized(std::string_view status)
{
    return status == "processing" || status == "valid";
}

} // namespace

Result<Order> parse_order(std::string_view json, std::string_view url)
{
    const auto what = fmt::format("order {}", base::printable(url));
    auto object = base::parse_json_object(json, what);
    if (!object) {
        object.error().code = Errc::protocol;
        object.error().reason = "badOrder";
        object.error().hint = "the reply is not an order; check whether a proxy intercepts the connection";
        return fail(std::move(object).error());
    }
    Order order;
    order.url = url;
    order.raw = json;
    order.status = base::string_member(*object, "status").value_or("");
    order.finalize = base::string_member(*object, "finalize").value_or("");
    order.certificate = base::string_member(*object, "certificate").value_or("");
    order.identifiers = read_identifiers(*object);
    if (const auto list = object->find("authorizations"); list != object->end() && list->is_array())
        for (const auto& entry : *list)
            if (entry.is_string()) order.authorizations.push_back(entry.get<std::string>());
    if (const auto text = base::string_member(*object, "expires"))
        if (const auto time = base::parse_rfc3339(*text)) order.expires = *time;
    if (const auto error = object->find("error"); error != object->end() && error->is_object()) {
        order.raw_error = base::to_text(*error);
        order.error = parse_problem(order.raw_error);
    }
    if (!base::is_word(order.status))
        return protocol_error(what + ": \"status\" is absent or malformed", "badOrder");
    if (order.status == "pending" && order.authorizations.empty())
        return protocol_error(what + ": pending, but no \"authorizations\"", "badOrder");
    if ((order.status == "pending" || order.status == "ready") && order.finalize.empty())
        return protocol_error(what + ": no \"finalize\" URL", "badOrder");
    return order;
}

Result<void> check_chain(const std::vector<crypto::Certificate>& chain, const OrderRequest& request,
                         base::TimePoint now)
{
    if (chain.empty()) return protocol_error("no certificate in the reply", "chainUnreadable");
    const auto& leaf = chain.front();
    if (!leaf.public_key().same_public_key(request.key))
        return protocol_error("the first certificate is not for the CSR's key; it was discarded",
                              "certificateKey");
    if (leaf.identifiers() != request.identifiers)
        return protocol_error("the certificate's names differ from those of the order; it was discarded",
                              "certificateNames");
    if (leaf.not_after() <= now)
        return fail(Errc::protocol,
                    fmt::format("the certificate already expired at {}; it was discarded",
                                base::to_rfc3339(leaf.not_after())),
                    "check the clock of this host", "certificateExpired");
    // RFC 8555 section 9.1: "Each following certificate SHOULD directly certify the one preceding it."
    for (std::size_t i = 1; i < chain.size(); ++i)
        if (!chain[i - 1].is_issued_by(chain[i]))
            return protocol_error(
                fmt::format("certificate {} of the chain does not certify the one before it", i + 1),
                "chainOrder");
    return {};
}

OrderFlow::OrderFlow(OrderRequest request, Goal goal) : request_(std::move(request)), goal_(goal) {}

bool account_is_valid(const Result<Reply>& answer)
{
    if (!answer) return false;
    const auto account = base::parse_json_object(answer->body, "account");
    return account && base::string_member(*account, "status") == "valid";
}

void OrderFlow::resume(std::string order_url, OrderPast past)
{
    order_ = {};
    order_.url = std::move(order_url);
    must_read_ = true;
    created_here_ = past.just_created;
    finalized_ = past.finalized;
}

void OrderFlow::resume(Order order, OrderPast past)
{
    order_ = std::move(order);
    created_here_ = past.just_created;
    finalized_ = past.finalized || is_finalized(order_.status);
}

OrderFlow::Fate OrderFlow::fate(const Error& error) const
{
    if (order_.status == "invalid" || expired_) return Fate::lost;
    // A refused account says nothing about its orders.
    if (error.code != Errc::refused || error.reason == Cause::account_does_not_exist ||
        error.reason == Cause::user_action_required)
        return Fate::stays;
    // Only problems of ACME have a reason; anything else may be a proxy's page.
    const bool by_ca = !error.problem_type.empty() && !error.reason.empty();
    if (failed_ == Sent::finalize) return by_ca ? Fate::doubtful : Fate::stays;
    if (failed_ != Sent::read) return Fate::stays;
    if (missing_ && by_ca && error.reason != Cause::unauthorized) return Fate::lost;
    if (finalized_) return Fate::stays;
    // Some servers answer 400 or 403 for an order that they do not have, or 404 without a problem document;
    // so do others if the signature is wrong, the account is deactivated, or a proxy is in the way.
    return by_ca || missing_ ? Fate::doubtful : Fate::stays;
}

void OrderFlow::authorized()
{
    authorized_ = true;
    must_read_ = true;
    polls_ = 0;
}

std::string OrderFlow::subject() const
{
    if (request_.identifiers.empty()) return {};
    const auto& first = request_.identifiers.front().value;
    return request_.identifiers.size() == 1
               ? first
               : fmt::format("{} and {} more", first, request_.identifiers.size() - 1);
}

OrderFlow::Send OrderFlow::send(Sent what, Step step, std::string url, std::string payload)
{
    sent_ = what;
    Send action{Post{step, subject(), std::move(url), std::move(payload)}};
    // After finalize, the certificate is new, and the order changed.
    action.post.just_created = (created_here_ || finalized_) && what != Sent::new_order;
    action.post.missing_is_answer = what == Sent::read;
    return action;
}

std::string OrderFlow::new_order_payload() const
{
    Json identifiers = Json::array();
    for (const auto& identifier : request_.identifiers) {
        Json entry{{"type", identifier.type}, {"value", identifier.value}};
        // RFC 9444 section 4.3: "If the client is unable to fulfill authorizations against an ancestor
        // domain, the client should not include the ancestorDomain field."
        for (const auto& ancestor : request_.ancestor_domains)
            if (identifier.type == "dns" && dns::is_subdomain_of(identifier.value, ancestor))
                entry["ancestorDomain"] = ancestor;
        identifiers.push_back(std::move(entry));
    }
    Json payload{{"identifiers", std::move(identifiers)}};
    if (!request_.profile.empty()) payload["profile"] = request_.profile;
    if (request_.not_before) payload["notBefore"] = base::to_rfc3339(*request_.not_before);
    if (request_.not_after) payload["notAfter"] = base::to_rfc3339(*request_.not_after);
    if (!request_.replaces.empty() && !replaces_refused_) payload["replaces"] = request_.replaces;
    return payload.dump();
}

Result<OrderFlow::Action> OrderFlow::next(const Directory& directory)
{
    if (pause_) {
        const Pause pause = *pause_;
        pause_.reset();
        return pause;
    }
    if (order_.url.empty())
        return send(Sent::new_order, Step::new_order, directory.new_order, new_order_payload());
    if (must_read_) return send(Sent::read, Step::order, order_.url, "");

    const auto& status = order_.status;
    if (status == "invalid") {
        auto error = order_.error ? to_error(*order_.error, order_.raw_error, 0, std::nullopt) : Error{};
        if (!order_.error) error.message = "the CA gave no reason";
        if (!order_.error || error.code == Errc::internal) error.code = Errc::refused;
        if (error.reason.empty()) error.reason = "orderInvalid";
        return fail(with_context(std::move(error), fmt::format("order for {} is invalid", subject())));
    }
    if (goal_ == Goal::placed) return Finished{};
    if (status == "pending") {
        // All authorizations are valid but the order is still "pending": the CA lags behind or validates
        // again.
        if (!authorized_) return Authorize{order_.authorizations};
        must_read_ = true;
        return Pause{std::min(kFirstPoll * (1 << std::min(polls_++, 10)), kLongestPoll), false};
    }
    if (goal_ == Goal::authorized) return Finished{};
    if (status == "ready") {
        if (request_.csr.empty()) return fail(Errc::bad_input, "finalize: no CSR", {}, "noCsr");
        auto action = send(Sent::finalize, Step::finalize, order_.finalize,
                           Json{{"csr", base::to_base64url(request_.csr)}}.dump());
        finalized_ = true;
        return action;
    }
    // Without the certificate's URL the CA is not done yet, whatever it calls that.
    if (status == "valid" && !order_.certificate.empty()) {
        if (goal_ == Goal::finalized || !chain_.empty()) return Finished{};
        auto action = send(Sent::certificate, Step::certificate, order_.certificate, "");
        action.post.accept = "application/pem-certificate-chain";
        return action;
    }
    // "processing" and unknown intermediate statuses.
    must_read_ = true;
    return Pause{std::min(kFirstPoll * (1 << std::min(polls_++, 10)), kLongestPoll), false};
}

Result<void> OrderFlow::take(const Result<Reply>& outcome, base::TimePoint now)
{
    const Sent sent = std::exchange(sent_, Sent::nothing);
    failed_ = outcome ? Sent::nothing : sent;
    missing_ = outcome && sent == Sent::read && outcome->status >= 400;
    if (missing_) {
        failed_ = sent;
        return take_missing(*outcome, now);
    }
    if (outcome) {
        if (sent == Sent::certificate) return take_chain(*outcome, now);
        if (sent == Sent::new_order) {
            if (outcome->location.empty())
                return protocol_error(
                    fmt::format("newOrder: {}: the reply has no Location header of this CA", subject()),
                    "noLocation");
            order_.url = outcome->location;
            created_here_ = true;
        }
        ACMETOOL_CHECK(take_order(*outcome));
        poll_after(*outcome);
        return {};
    }
    if (sent == Sent::new_order && !request_.replaces.empty() && !replaces_refused_ &&
        blames_replaces(outcome.error())) {
        // RFC 9773 section 5: alreadyReplaced and similar errors do not concern the order itself. A renewal
        // without `replaces` is better than none.
        replaces_refused_ = true;
        return {};
    }
    if (sent != Sent::finalize) return fail(outcome.error());
    // RFC 8555 section 7.4: after a 403 orderNotReady the order must be read. Likewise after a broken
    // connection or a 5xx: only the order shows whether the CA accepted the CSR.
    const auto& error = outcome.error();
    const bool unclear = error.code == Errc::unavailable || error.reason == Cause::order_not_ready;
    if (!unclear && !error.problem_type.empty()) finalized_ = false;
    if (!unclear || ++finalize_failures_ > kMostFinalizeFailures) return fail(error);
    must_read_ = true;
    pause_ = Pause{std::min(kShortestWait * (1 << finalize_failures_), kLongestPoll), false};
    return {};
}

Result<void> OrderFlow::take_missing(const Reply& reply, base::TimePoint now)
{
    http::Response response;
    response.status = reply.status;
    response.body = reply.body;
    return fail(with_context(error_of(response, now), fmt::format("order: {}", subject())));
}

Result<void> OrderFlow::take_order(const Reply& reply)
{
    ACMETOOL_TRY(order, parse_order(reply.body, order_.url));
    // RFC 8555 section 7.1.3: "the client SHOULD ... consider the order invalid" if these arrays change.
    const bool names_changed = !order.identifiers.empty() && order.identifiers != request_.identifiers;
    auto known = order_.authorizations;
    auto seen = order.authorizations;
    std::sort(known.begin(), known.end());
    std::sort(seen.begin(), seen.end());
    if (names_changed || (!known.empty() && !seen.empty() && known != seen))
        return protocol_error(fmt::format("order {}: its identifiers or authorizations changed", order_.url),
                              Cause::order_changed);
    if (order.status != order_.status) polls_ = 0;
    if (order.finalize.empty()) order.finalize = order_.finalize;
    if (order.authorizations.empty()) order.authorizations = order_.authorizations;
    order_ = std::move(order);
    finalized_ =
        is_finalized(order_.status) || (finalized_ && order_.status != "pending" && order_.status != "ready");
    must_read_ = false;
    return {};
}

void OrderFlow::poll_after(const Reply& reply)
{
    const bool is_issuing =
        order_.status == "processing" || (order_.status == "valid" && order_.certificate.empty());
    if (!is_issuing || !reply.retry_after) return;
    // RFC 8555 section 7.4: "send a GET request after the time given in the Retry-After header field".
    must_read_ = true;
    pause_ = Pause{std::max<Milliseconds>(*reply.retry_after, kShortestWait), true};
}

Result<void> OrderFlow::take_chain(const Reply& reply, base::TimePoint now)
{
    auto chain = crypto::parse_pem_chain(reply.body);
    if (!chain)
        return fail(with_context(std::move(chain).error(), fmt::format("certificate: {}", subject())));
    expired_ = !chain->empty() && chain->front().not_after() <= now;
    if (auto checked = check_chain(*chain, request_, now); !checked)
        return fail(with_context(std::move(checked).error(), fmt::format("certificate: {}", subject())));
    chain_ = std::move(*chain);
    chain_text_ = crypto::to_pem(chain_);
    return {};
}

} // namespace acmetool::acme
