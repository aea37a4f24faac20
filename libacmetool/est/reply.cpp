#include "est/reply.h"

#include <algorithm>
#include <array>
#include <optional>

#include <fmt/core.h>

#include "base/body_text.h"
#include "base/text.h"
#include "crypto/cms.h"
#include "est/cmc_error.h"
#include "est/codec.h"
#include "http/retry_after.h"

namespace acmetool::est
{
namespace
{

/// A device may be asked to come back next month.
constexpr std::chrono::seconds kLongestWait{std::chrono::hours{24} * 366};
constexpr std::size_t kShownText = 300;
constexpr std::string_view kWebPage = "text/html";
constexpr const char* kWebPageHint = "check --server and --label, and whether a login page of the network "
                                     "(captive portal) or a proxy intercepts the connection";

constexpr std::string_view kNotAsked =
    "it did not ask for a client certificate on this connection, in the handshake or, with TLS 1.3, after it";

/// "application/pkcs7-mime" of a Content-Type, in lower case, without parameters.
std::string media_type_of(const http::Response& response)
{
    const auto type = http::find(response.headers, "content-type").value_or(std::string_view{});
    return base::to_lower(base::trim(type.substr(0, type.find(';'))));
}

/// The type for people, or a note that there is none.
std::string content_type_of(const http::Response& response)
{
    const auto type = media_type_of(response);
    return type.empty() ? "no content type" : base::printable(type, 100);
}

std::optional<CmcError> cmc_error_of(const http::Response& response)
{
    const auto body = parse_body(response.body);
    if (!body) return std::nullopt;
    auto parsed = parse_cmc_error(body->der);
    if (!parsed) return std::nullopt;
    return *parsed;
}

/// The server's text for people, on one line.
std::string text_of(const http::Response& response)
{
    const auto type = media_type_of(response);
    // RFC 8951 section 5: "If the Content-Type is not set, the response data MUST be a plaintext
    // human-readable error message".
    if (!type.empty() && !type.starts_with("text/") && !type.ends_with("json")) return {};
    if (type == kWebPage) return fmt::format("a web page ({})", kWebPage);
    std::string line;
    for (const char c : base::trim_body(response.body))
        if (c == '\r' || c == '\n' || c == '\t') {
            if (!line.ends_with(' ')) line += ' ';
        } else {
            line += c;
        }
    return base::printable(line, kShownText);
}

Errc code_of(const http::Response& response, bool says_when)
{
    if (response.status == 429) return Errc::rate_limited;
    if (response.status == 503 && says_when) return Errc::temporary;
    if (response.status >= 400 && response.status < 500) return Errc::refused;
    return response.status >= 500 ? Errc::unavailable : Errc::protocol;
}

} // namespace

std::optional<std::chrono::seconds> retry_after_of(const http::Response& response, base::TimePoint now)
{
    const auto value = http::find(response.headers, "retry-after");
    if (!value) return std::nullopt;
    return http::parse_retry_after(*value, now, kLongestWait);
}

Error error_of(Operation operation, const http::Response& response, base::TimePoint now)
{
    Error error;
    error.retry_after = retry_after_of(response, now);
    error.code = code_of(response, error.retry_after.has_value());
    if (error.code != Errc::temporary && error.code != Errc::rate_limited) error.retry_after.reset();
    const auto cmc = response.status >= 400 ? cmc_error_of(response) : std::nullopt;
    const auto text = cmc ? base::printable(cmc->describe(), kShownText) : text_of(response);
    error.message = fmt::format("{}: the server answered {}", name_of(operation), response.status);
    if (!text.empty()) error.message += ": " + text;
    if (cmc && cmc->fail_info) error.reason = name_of(*cmc->fail_info);
    switch (response.status) {
    case 401:
        error.reason = "unauthenticated";
        error.hint = text.empty()
                         ? "the server requires a known client certificate (--cert, --key) or a user "
                           "name (--user); see its log for the reason"
                         : "the server says why; it requires a known and valid client certificate "
                           "(--cert, --key) or a user name (--user)";
        if (!response.client_asked) error.hint += fmt::format("; {}", kNotAsked);
        break;
    case 403:
        error.hint = response.client_asked
                         ? "the server authenticated the client but refuses the request: ask its operator"
                         : fmt::format("the server refuses the request: ask its operator; {}", kNotAsked);
        break;
    case 404:
    case 501:
        if (!cmc) error.reason = "notImplemented";
        error.message += text.empty() ? " (not implemented)" : "";
        error.hint =
            fmt::format("the server has no {} at this URL: check --server and --label", name_of(operation));
        break;
    default:
        if (response.status < 300)
            error.hint = fmt::format("only status 200 is a success of {} (RFC 7030)", name_of(operation));
        else if (media_type_of(response) == kWebPage)
            error.hint = kWebPageHint;
        break;
    }
    return error;
}

Result<std::vector<crypto::Certificate>> parse_certificates(Operation operation,
                                                            const http::Response& response)
{
    const auto broken = [&](Error error) {
        error.code = Errc::protocol;
        error.reason = "notCertsOnly";
        if (error.hint.empty())
            error.hint = "expected application/pkcs7-mime: a certs-only message in base64 (RFC 8951)";
        return fail(with_context(std::move(error), name_of(operation)));
    };
    // A page can also contain certificates: that of openssl s_server contains the client's.
    if (media_type_of(response) == kWebPage && base::trim(response.body).starts_with('<'))
        return broken(
            {.code = Errc::protocol,
             .message = fmt::format("the server answered {} with a web page ({})", response.status, kWebPage),
             .hint = kWebPageHint,
             .reason = {},
             .problem_type = {},
             .problem = {},
             .retry_after = {}});
    auto certificates = parse_body(response.body).and_then([](const Body& body) {
        return crypto::parse_certs_only(body.der);
    });
    if (!certificates)
        return broken(with_context(
            std::move(certificates).error(),
            fmt::format("the server answered {} with {}", response.status, content_type_of(response))));
    return certificates;
}

bool lacks_csrattrs(const http::Response& response)
{
    constexpr std::array kStatus{204, 404, 405, 501};
    return std::find(kStatus.begin(), kStatus.end(), response.status) != kStatus.end();
}

Result<Bytes> parse_csrattrs_body(const http::Response& response)
{
    if (lacks_csrattrs(response)) return Bytes{};
    auto body = parse_body(response.body);
    if (!body) {
        body.error().code = Errc::protocol;
        body.error().reason = "csrattrs";
        return fail(with_context(std::move(body).error(), "csrattrs"));
    }
    return std::move(body->der);
}

} // namespace acmetool::est
