#include "acme/session.h"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "acme/problem.h"
#include "base/base64url.h"
#include "base/json.h"
#include "base/text.h"
#include "http/retry_after.h"
#include "jose/jwk.h"
#include "jose/jws.h"

namespace acmetool::acme
{
namespace
{

constexpr int kMostBadNonces = 50;
constexpr int kMostRetries = 3;
constexpr base::Milliseconds kRetryPause{500};
constexpr std::size_t kMostLinks = 50;

/// One parameter of a Link header: `rel="next alternate"` adds a pair for each relation.
void add_relations(std::string_view parameter, std::string_view url,
                   std::vector<std::pair<std::string, std::string>>& links)
{
    const auto equals = parameter.find('=');
    if (equals == std::string_view::npos ||
        !base::equals_ignoring_case(base::trim(parameter.substr(0, equals)), "rel"))
        return;
    auto value = base::trim(parameter.substr(equals + 1));
    if (value.size() >= 2 && value.starts_with('"') && value.ends_with('"'))
        value = value.substr(1, value.size() - 2);
    for (const auto relation : base::split(value, ' '))
        if (!relation.empty()) links.emplace_back(base::to_lower(relation), url);
}

/// The targets of all Link headers (RFC 8288 section 3): <url>; rel="relation"; ..., <url>; ...
std::vector<std::pair<std::string, std::string>> parse_links(const http::Headers& headers)
{
    std::vector<std::pair<std::string, std::string>> links;
    for (const auto& [name, value] : headers) {
        if (name != "link") continue;
        std::string_view rest = value;
        while (links.size() < kMostLinks) {
            const auto open = rest.find('<');
            const auto close = rest.find('>', open);
            if (open == std::string_view::npos || close == std::string_view::npos) break;
            const auto url = rest.substr(open + 1, close - open - 1);
            rest.remove_prefix(close + 1);
            // Parameters end at a comma outside of quotes; there the next link begins.
            bool quoted = false;
            std::size_t begin = 0;
            std::size_t at = 0;
            for (; at < rest.size() && (quoted || rest[at] != ','); ++at) {
                if (rest[at] == '"') quoted = !quoted;
                if (quoted || rest[at] != ';') continue;
                add_relations(rest.substr(begin, at - begin), url, links);
                begin = at + 1;
            }
            add_relations(rest.substr(begin, at - begin), url, links);
            rest.remove_prefix(std::min(at + 1, rest.size()));
        }
    }
    return links;
}

} // namespace

std::string_view name_of(Step step)
{
    switch (step) {
    case Step::directory:
        return "directory";
    case Step::new_account:
        return "newAccount";
    case Step::account:
        return "account";
    case Step::new_authz:
        return "newAuthz";
    case Step::authz:
        return "authz";
    case Step::challenge:
        return "challenge";
    case Step::new_order:
        return "newOrder";
    case Step::order:
        return "order";
    case Step::orders:
        return "orders";
    case Step::finalize:
        return "finalize";
    case Step::certificate:
        return "certificate";
    case Step::renewal_info:
        return "renewalInfo";
    case Step::revoke_cert:
        return "revokeCert";
    case Step::key_change:
        return "keyChange";
    }
    return "directory";
}

Exchange::Exchange(Session& session, Post post) : session_(session), post_(std::move(post))
{
    if (!session_.directory.owns(post_.url))
        result_ = fail(describe(
            Error{.code = Errc::protocol,
                  .message = fmt::format("{} is not a URL of this CA", base::printable(post_.url)),
                  .hint = fmt::format("requests are only sent to the origins in {}", session_.directory.url),
                  .reason = "foreignUrl",
                  .problem_type = {},
                  .problem = {},
                  .retry_after = {}}));
}

Error Exchange::describe(Error error) const
{
    if (!post_.subject.empty()) error = with_context(std::move(error), post_.subject);
    return with_context(std::move(error), name_of(post_.step));
}

Result<std::variant<Exchange::Send, Exchange::Pause>> Exchange::next()
{
    if (pause_) {
        const Pause pause{*pause_};
        pause_.reset();
        return pause;
    }
    asked_for_nonce_ = session_.nonces.empty();
    if (asked_for_nonce_) {
        Send send;
        send.request.method = http::Method::head;
        send.request.url = session_.directory.new_nonce;
        send.is_nonce_request = true;
        return send;
    }
    base::Json header{{"nonce", session_.nonces.back()}, {"url", post_.url}};
    session_.nonces.pop_back(); // each nonce only once, whatever the result
    if (post_.by_jwk) {
        ACMETOOL_TRY(jwk, jose::to_jwk(session_.key));
        header["jwk"] = jwk;
    } else {
        header["kid"] = session_.account_url;
    }
    ACMETOOL_TRY(jws, jose::sign(session_.key, std::move(header), post_.payload));
    Send send;
    send.request.method = http::Method::post;
    send.request.url = post_.url;
    send.request.headers = {{"Content-Type", "application/jose+json"}};
    if (!post_.accept.empty()) send.request.headers.emplace_back("Accept", post_.accept);
    send.request.body = std::move(jws);
    return send;
}

void Exchange::take_nonce(const http::Response& response)
{
    // RFC 8555 section 6.5.1: "Clients MUST ignore invalid Replay-Nonce values."
    const auto nonce = http::find(response.headers, "replay-nonce");
    if (nonce && base::is_base64url(*nonce) && nonce->size() <= 1000 &&
        session_.nonces.size() < session_.most_nonces)
        session_.nonces.emplace_back(*nonce);
}

bool Exchange::retry(int limit, base::Milliseconds pause)
{
    if (retries_ >= limit) return false;
    pause_ = pause * (1 << retries_);
    ++retries_;
    return true;
}

void Exchange::take(Result<http::Response> outcome, base::TimePoint now)
{
    // Requesting a nonce and reading change nothing, so both can be repeated.
    const bool repeatable = asked_for_nonce_ || post_.payload.empty();
    if (!outcome) {
        const auto& error = outcome.error();
        const bool transient = error.code == Errc::unavailable &&
                               (error.reason == Cause::reset || error.reason == Cause::timeout);
        if (!(repeatable && transient && retry(kMostRetries, kRetryPause))) result_ = fail(describe(error));
        return;
    }
    const auto& response = *outcome;
    take_nonce(response);
    if (response.status >= 500 && repeatable && !http::find(response.headers, "retry-after") &&
        retry(kMostRetries, kRetryPause))
        return;
    if (asked_for_nonce_) {
        if (response.status >= 400) {
            result_ = fail(describe(with_context(error_of(response, now), "newNonce")));
        } else if (session_.nonces.empty()) {
            result_ = fail(describe(Error{.code = Errc::protocol,
                                          .message = "newNonce: the reply has no valid Replay-Nonce header",
                                          .hint = {},
                                          .reason = "noNonce",
                                          .problem_type = {},
                                          .problem = {},
                                          .retry_after = {}}));
        }
        return;
    }
    const bool is_missing = response.status == 404 || response.status == 410;
    if (response.status >= 400) {
        auto error = error_of(response, now);
        // RFC 8555 section 6.5: "the client SHOULD retry the request after receiving a new nonce."
        if (error.reason == Cause::bad_nonce && ++bad_nonces_ <= kMostBadNonces) return;
        if (response.status == 404 && post_.just_created && error.reason != Cause::account_does_not_exist &&
            retry(kMostRetries, kRetryPause))
            return;
        if (is_missing && post_.missing_is_answer) {
            Reply reply;
            reply.status = response.status;
            reply.body = response.body;
            result_ = std::move(reply);
            return;
        }
        if ((response.status == 404 || response.status == 405) && !post_.if_missing.empty() &&
            error.reason != Cause::account_does_not_exist) {
            error.code = Errc::unavailable;
            error.reason = post_.if_missing;
        }
        // RFC 8555 section 7.3.5: 409 if the new key is another account's, whose URL is in Location.
        if (const auto account = http::find(response.headers, "location");
            response.status == 409 && post_.step == Step::key_change && account) {
            error.reason = "keyInUse";
            error.hint = fmt::format("the new key belongs to the account {}: use another key",
                                     base::printable(*account, 300));
        }
        result_ = fail(describe(std::move(error)));
        return;
    }
    if (response.status >= 300 || response.status < 200) {
        result_ = fail(describe(Error{
            .code = Errc::protocol,
            .message = fmt::format("HTTP {}: a redirect or another unexpected status", response.status),
            .hint = "ACME resources are not redirected; check whether a proxy intercepts the connection",
            .reason = "unexpectedStatus",
            .problem_type = {},
            .problem = {},
            .retry_after = {}}));
        return;
    }
    Reply reply;
    reply.status = response.status;
    reply.body = response.body;
    // A URL elsewhere is not a resource of this CA: it is neither requested nor stored.
    if (const auto location = http::find(response.headers, "location");
        location && session_.directory.owns(*location))
        reply.location = *location;
    reply.content_type = http::find(response.headers, "content-type").value_or("");
    if (const auto value = http::find(response.headers, "retry-after"))
        reply.retry_after = http::parse_retry_after(*value, now);
    reply.links = parse_links(response.headers);
    result_ = std::move(reply);
}

} // namespace acmetool::acme
