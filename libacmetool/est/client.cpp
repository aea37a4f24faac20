#include "est/client.h"

#include <algorithm>

#include <fmt/core.h>

#include "base/text.h"
#include "crypto/digest.h"
#include "crypto/issued.h"
#include "est/codec.h"
#include "est/reply.h"
#include "http/traced.h"

namespace acmetool::est
{
namespace
{

constexpr unsigned kMostRedirects = 8;
constexpr unsigned kMostReconnections = 3;
constexpr std::chrono::seconds kShortestWait{1}; ///< prevents a tight loop if a server sends 0

bool is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

std::string fresh_cnonce()
{
    return to_hex(crypto::random_bytes(16));
}

std::string names_of(const crypto::Csr& csr)
{
    std::vector<std::string> names;
    for (const auto& identifier : csr.identifiers)
        names.push_back(identifier.value);
    return base::join(names, ", ");
}

} // namespace

std::string enrol_body(const crypto::Csr& csr)
{
    return to_body(csr.der);
}

Client::Client(ClientOptions options, http::Transport& transport, base::Context& context)
    : options_(std::move(options)), transport_(transport), context_(context)
{
}

Result<http::Response> Client::exchange(const Call& call, http::Request request,
                                        const http::Connection& connection)
{
    context_.log(base::Level::wire, fmt::format("{} {} ({}, connection {})", http::name_of(call.method),
                                                request.url, connection.tls_version, connection.id));
    return http::send_traced(transport_, request, message_of(call), context_);
}

base::Message Client::message_of(const Call& call) const
{
    base::Message asked;
    asked.from = "client";
    asked.to = "est";
    asked.label = fmt::format("{} /{}", http::name_of(call.method), name_of(call.operation));
    asked.detail = call.names.empty() ? options_.server.label : call.names;
    return asked;
}

/// Another origin gets the password only if the operator agreed to it.
bool Client::may_log_in(const http::Url& url) const
{
    if (options_.credentials.user.empty()) return false;
    const auto home = url_of(options_.server, Operation::cacerts);
    return options_.allow_redirect || (home && home->origin() == url.origin());
}

/// Prepares the answer to a Basic challenge that the server did not send (RFC 7617 section 2.2).
void Client::log_in_unasked(const Call& call, const http::Url& url)
{
    const auto& credentials = options_.credentials;
    const bool usable =
        credentials.scheme != http::AuthScheme::digest && credentials.user.find(':') == std::string::npos;
    if (challenge_ || call.operation == Operation::cacerts || !usable || !may_log_in(url)) return;
    challenge_.emplace();
    challenge_->scheme = http::AuthScheme::basic;
}

/// Whether our credentials can answer a challenge of the 401. A failed channel binding also causes a 401, so
/// the same credentials are not tried again, except for a nonce that is new or was stale (RFC 7616 section
/// 3.3). `answered`: number of challenges of this request that were already answered.
bool Client::take_challenge(const http::Response& response, const http::Url& url, unsigned answered)
{
    if (!may_log_in(url)) return false;
    auto challenge = http::choose_challenge(response.headers, options_.credentials.scheme);
    if (!challenge) return false;
    const bool digest = challenge->scheme == http::AuthScheme::digest;
    if (answered > 0 && !(digest && challenge->stale && answered == 1)) return false;
    if (challenge_ && (!digest || challenge_->nonce == challenge->nonce)) return false;
    challenge_ = std::move(challenge);
    answers_ = 0;
    return true;
}

Result<http::Url> Client::redirected(const Call& call, const http::Url& from, const http::Response& response)
{
    const auto refuse = [&](std::string why, std::string hint) {
        return fail(Errc::refused, fmt::format("{}: redirect {}", name_of(call.operation), std::move(why)),
                    std::move(hint), "redirectRefused");
    };
    const auto location = http::find(response.headers, "location");
    if (!location)
        return fail(Errc::protocol, fmt::format("{}: a redirect without a target", name_of(call.operation)),
                    "the server sent no Location", "redirect");
    auto to = http::resolve(from, *location);
    if (!to) {
        to.error().code = Errc::protocol;
        to.error().reason = "redirect";
        return fail(with_context(std::move(to).error(), "redirect"));
    }
    if (call.method == http::Method::post && response.status == 303)
        return refuse("by 303, which would turn it into a GET", "ask the server's operator");
    if (to->origin() == from.origin()) return to;
    // RFC 7030 section 3.2.1: "If the HTTP method is POST ... the EST client MUST NOT automatically redirect
    // the request unless it can be confirmed by the user".
    if (call.method == http::Method::post && !options_.allow_redirect)
        return refuse(fmt::format("to {}, which is another server", to->origin()),
                      fmt::format("if that server may see the request, run the command again with "
                                  "--allow-redirect or with --server {}",
                                  to->origin()));
    challenge_.reset(); // it belonged to the other origin
    context_.log(base::Level::info,
                 fmt::format("{}: the server redirects to {}", name_of(call.operation), to->origin()));
    return to;
}

Result<http::Response> Client::perform(const Call& call)
{
    ACMETOOL_TRY(url, url_of(options_.server, call.operation));
    unsigned redirects = 0;
    unsigned reconnections = 0;
    unsigned answered = 0;
    for (;;) {
        auto connected = transport_.connect(url.text());
        if (!connected) {
            auto asked = message_of(call);
            asked.method = http::name_of(call.method);
            asked.url = url.text();
            http::tell_unreachable(asked, connected.error(), context_);
            return fail(std::move(connected).error());
        }
        const auto& connection = *connected;
        if (connection.provisional && call.operation != Operation::cacerts)
            return fail(Errc::internal, "only /cacerts may be requested before the server is authorized");
        http::Request request{call.method, url.text(), call.headers, {}};
        if (call.body) {
            ACMETOOL_TRY(body, call.body(connection));
            request.body = std::move(body);
        }
        if (!connection.provisional) log_in_unasked(call, url);
        if (challenge_ && !connection.provisional) {
            ACMETOOL_TRY(header, http::answer(*challenge_, options_.credentials,
                                              {.method = std::string{http::name_of(call.method)},
                                               .target = url.target,
                                               .cnonce = fresh_cnonce(),
                                               .count = ++answers_}));
            request.headers.emplace_back("Authorization", std::move(header));
        }
        auto response = exchange(call, std::move(request), connection);
        if (!response) {
            // The server may close a kept connection at the moment when it is used again.
            const bool again = response.error().reason == Cause::reset && connection.requests > 0 &&
                               ++reconnections < kMostReconnections;
            if (again) continue;
            return fail(std::move(response).error());
        }
        if (is_redirect(response->status)) {
            if (++redirects > kMostRedirects)
                return fail(Errc::protocol, fmt::format("{}: too many redirects", name_of(call.operation)),
                            {}, "redirect");
            ACMETOOL_TRY(to, redirected(call, url, *response));
            if (connection.provisional && to.origin() != url.origin())
                return fail(Errc::refused, "a bootstrap does not follow a redirect to another server", {},
                            "redirectRefused");
            url = std::move(to);
            continue;
        }
        if (call.operation == Operation::cacerts) server_ = {url.host, connection.server_certificates};
        if (response->status != 401 || connection.provisional) return response;
        const bool answered_before = challenge_.has_value();
        if (take_challenge(*response, url, answered)) {
            ++answered;
            continue;
        }
        auto error = error_of(call.operation, *response, context_.now());
        if (answered_before)
            error.hint = "the server does not accept this user name and password, or the channel binding in "
                         "the CSR; servers that require tls-unique need --tls-max 1.2";
        else if (!options_.credentials.user.empty())
            error.hint = "the server offers no authentication scheme that --auth allows";
        return fail(std::move(error));
    }
}

Result<std::vector<crypto::Certificate>> Client::cacerts()
{
    const Call call{Operation::cacerts, http::Method::get, {{"Accept", "application/pkcs7-mime"}}, nullptr};
    ACMETOOL_TRY(response, perform(call));
    // RFC 7030 section 4.1.3: "the server response MUST have an HTTP 200 response code. Any other response
    // code indicates an error and the client MUST abort the protocol."
    if (response.status != 200) return fail(error_of(Operation::cacerts, response, context_.now()));
    return parse_certificates(Operation::cacerts, response);
}

Result<Bytes> Client::csrattrs()
{
    const Call call{Operation::csrattrs, http::Method::get, {{"Accept", "application/csrattrs"}}, nullptr};
    const auto started = context_.steady_now();
    for (;;) {
        ACMETOOL_TRY(response, perform(call));
        if (response.status == 200 || lacks_csrattrs(response)) return parse_csrattrs_body(response);
        auto error = error_of(Operation::csrattrs, response, context_.now());
        if (response.status != 202) return fail(std::move(error));
        ACMETOOL_TRY(wait, wait_after(call, response));
        const bool too_late =
            options_.total_deadline && context_.steady_now() + wait > started + *options_.total_deadline;
        if (!options_.wait || too_late) {
            error.code = Errc::temporary;
            error.retry_after = wait;
            error.hint = "the server does not know its CSR attributes yet";
            return fail(std::move(error));
        }
        ACMETOOL_CHECK(context_.sleep(wait, {"the EST server's CSR attributes", started, std::nullopt}));
    }
}

/// The wait after a 202 or 503, which is logged.
Result<std::chrono::seconds> Client::wait_after(const Call& call, const http::Response& response)
{
    const auto asked = retry_after_of(response, context_.now());
    if (asked) {
        const auto wait = std::max(*asked, kShortestWait);
        context_.log(base::Level::info,
                     fmt::format("{}: the server answered {}: not yet, again in {}", name_of(call.operation),
                                 response.status, base::describe(wait)));
        return wait;
    }
    const auto said = http::find(response.headers, "retry-after");
    context_.log(
        base::Level::warning,
        fmt::format("{}: the server answered {} {}: waiting {}", name_of(call.operation), response.status,
                    said ? fmt::format("with the invalid Retry-After \"{}\"", base::printable(*said, 60))
                         : std::string{"without Retry-After"},
                    base::describe(options_.default_wait)));
    return options_.default_wait;
}

Result<Enrolment> Client::enrol(const EnrolTask& task)
{
    Enrolment enrolment;
    enrolment.csr = task.csr;
    std::uint64_t bound_to = 0;
    bool announced = false;
    Call call{task.renewal ? Operation::simplereenroll : Operation::simpleenroll, http::Method::post, {}, {}};
    call.headers = {{"Accept", "application/pkcs7-mime"},
                    {"Content-Type", "application/pkcs10"},
                    {"Content-Transfer-Encoding", "base64"}};
    call.body = [&](const http::Connection& connection) -> Result<std::string> {
        // RFC 7030 section 4.2.3: "If the client closes the TLS connection while waiting for the
        // 'Retry-After' time to expire ... the client MUST use a new CSR with the new binding".
        if (task.bind && connection.id != bound_to) {
            if (!connection.binding) return fail(with_context(connection.binding.error(), "channel binding"));
            ACMETOOL_TRY(bound, task.bind(connection.binding->to_base64()));
            context_.log(base::Level::detail, fmt::format("the request is bound to connection {} by {}",
                                                          connection.id, connection.binding->type));
            enrolment.csr = std::move(bound);
            bound_to = connection.id;
            announced = false;
        }
        if (!announced && task.before_send) ACMETOOL_CHECK(task.before_send(enrolment.csr));
        announced = true;
        call.names = names_of(enrolment.csr);
        return enrol_body(enrolment.csr);
    };
    ACMETOOL_TRY(url, url_of(options_.server, call.operation));
    enrolment.url = url.text();
    const auto started = context_.steady_now();
    std::optional<std::chrono::steady_clock::time_point> deadline;
    if (options_.total_deadline) deadline = started + *options_.total_deadline;
    for (;;) {
        ACMETOOL_TRY(response, perform(call));
        if (response.status == 200) {
            ACMETOOL_TRY(certificates, parse_certificates(call.operation, response));
            ACMETOOL_TRY(sorted, crypto::own_first(std::move(certificates), enrolment.csr));
            enrolment.certificates = std::move(sorted);
            enrolment.pending = false;
            return enrolment;
        }
        auto error = error_of(call.operation, response, context_.now());
        if (response.status != 202 && error.code != Errc::temporary) return fail(std::move(error));
        ACMETOOL_TRY(wait, wait_after(call, response));
        const bool too_late = deadline && context_.steady_now() + wait > *deadline;
        if (!options_.wait || too_late) {
            if (response.status != 202) return fail(std::move(error));
            enrolment.pending = true;
            enrolment.retry_after = wait;
            return enrolment;
        }
        ACMETOOL_CHECK(context_.sleep(wait, {"the EST server", started, deadline}));
    }
}

} // namespace acmetool::est
