#include "brski/pledge.h"

#include <algorithm>
#include <set>

#include <fmt/core.h>

#include "base/body_text.h"
#include "base/text.h"
#include "brski/idevid.h"
#include "enrol/device_label.h"
#include "http/retry_after.h"
#include "http/traced.h"
#include "http/url.h"

namespace acmetool::brski
{
namespace
{

constexpr std::chrono::seconds kLongestWait{60}; // RFC 8995 section 5.6
constexpr std::chrono::seconds kUsualWait{10};
constexpr unsigned kMostRedirects = 24;
constexpr std::chrono::minutes kOwnerWait{30}; // for a registrar that does not know the device yet
constexpr unsigned kMostOwnerWaits = 4;

Error refusal(const std::string& url, const http::Response& reply)
{
    Error error;
    error.code = reply.status >= 500 ? Errc::unavailable : Errc::refused;
    error.message = fmt::format("{}: status {}", url, reply.status);
    if (const auto text = base::trim_body(reply.body); !text.empty())
        error.message += ": " + base::printable(text, 300);
    if (reply.status == 401) error.reason = Cause::unauthorized;
    return error;
}

/// True if the server's identity is the problem, which a provisional connection does not look at.
bool is_about_tls(const Error& error)
{
    return error.reason == Cause::tls || error.reason == Cause::tls_identity ||
           error.reason == Cause::tls_certificate || error.reason == Cause::tls_key;
}

/// Sends on the open connection and reports the messages.
Result<http::Response> send(http::Transport& transport, const http::Request& request,
                            std::string_view resource, base::Context& context)
{
    context.log(base::Level::wire, "POST " + request.url);
    base::Message asked;
    asked.from = "client";
    asked.to = "est"; // the registrar is later the EST server: one party
    asked.label = fmt::format("POST /{}", resource);
    return http::send_traced(transport, request, std::move(asked), context);
}

/// One attempt: visited URLs, waits and the remaining time.
class Attempt
{
public:
    Attempt(const PledgeOptions& options, base::Context& context, std::optional<SignedRequest> given)
        : options_(options), context_(context), given_(std::move(given)),
          until_(context.steady_now() + options.deadline), built_in_(options.cloud_anchors.has_value())
    {
    }

    Result<VoucherReply> run(const std::string& url)
    {
        ACMETOOL_TRY(first, http::parse_url(url));
        auto place = first;
        if (place.target == "/") place.target = well_known("requestvoucher");
        unsigned redirects = 0;
        while (true) {
            if (!visited_.insert(place.text()).second)
                return fail(Errc::protocol, fmt::format("{}: redirect loop", place.text()), {},
                            "redirectLoop");
            ACMETOOL_TRY(reply, ask_there(place));
            if (!next_) return std::move(reply);
            ++redirects;
            // RFC 8995 section 5.6: one; the cloud draft allows more from verified registrars.
            const bool allowed =
                reply.verified ? redirects <= kMostRedirects : redirects <= 1 && !cloud_redirect_;
            if (!allowed)
                return fail(
                    Errc::protocol,
                    fmt::format("{}: redirect to {} refused: there were too many, or the registrar is "
                                "not verified",
                                place.text(), next_->text()),
                    {}, "tooManyRedirects");
            cloud_redirect_ = cloud_redirect_ || reply.verified;
            place = *next_;
            next_.reset();
        }
    }

private:
    /// Provisional, or verified with the built-in anchors if possible.
    Result<http::Connection> connect(const http::Url& place, VoucherReply& reply)
    {
        auto tls = options_.tls;
        tls.identity = options_.idevid;
        tls.trust = {};
        if (built_in_) {
            tls.trust.implicit_anchors = options_.cloud_anchors;
            auto verified =
                std::make_shared<PinnedTransport>(std::make_unique<http::TlsClient>(tls, context_));
            auto connection = verified->connect(place.text());
            reply.verified = connection.has_value();
            // The first URL is the cloud registrar itself: no provisional TLS there.
            if (connection || visited_.size() == 1) {
                reply.transport = std::move(verified);
                return connection;
            }
            if (!is_about_tls(connection.error())) return connection;
            tls.trust = {};
        }
        tls.trust.provisional = true;
        reply.transport = std::make_shared<PinnedTransport>(std::make_unique<http::TlsClient>(tls, context_));
        return reply.transport->connect(place.text());
    }

    Result<VoucherReply> ask_there(const http::Url& place)
    {
        VoucherReply reply;
        reply.origin = place.origin();
        ACMETOOL_TRY(connection, connect(place, reply));
        reply.registrar = connection.server_certificates;
        if (reply.registrar.empty()) return fail(Errc::protocol, place.text() + ": no server certificate");
        if (given_) {
            reply.request = std::move(*given_);
            given_.reset();
        } else {
            // Another registrar requires another request with another nonce.
            const auto created = options_.clock ? std::optional{context_.now()} : std::nullopt;
            ACMETOOL_TRY(request,
                         sign_request(options_.idevid, reply.registrar.front(), options_.format, created));
            reply.request = std::move(request);
        }
        if (reply.request.registrar != reply.registrar.front().der())
            return fail(Errc::refused,
                        fmt::format("{}: this is {}, but the request is for another registrar", place.text(),
                                    base::printable(reply.registrar.front().subject(), 200)),
                        "if this registrar is correct, sign another request for it", "registrarChanged");
        http::Request request;
        request.method = http::Method::post;
        request.url = place.text();
        const auto type = std::string{media_type(options_.format)};
        request.headers = {{"Content-Type", type}, {"Accept", type}};
        request.body = as_text(reply.request.octets);
        for (bool waits = false;; waits = true) {
            auto answer = exchange(*reply.transport, request);
            if (!answer) {
                // A registrar that answered "not yet" may be unreachable for a while, for example during a
                // restart.
                const auto& error = answer.error();
                if (!waits || error.code != Errc::unavailable || error.reason == Cause::tls)
                    return fail(std::move(answer).error());
                context_.log(base::Level::info, error.message);
                ACMETOOL_CHECK(wait(last_wait_, place));
                continue;
            }
            ACMETOOL_TRY(done, take(*answer, place, reply));
            if (done) return reply;
        }
    }

    Result<http::Response> exchange(http::Transport& transport, const http::Request& request)
    {
        ACMETOOL_CHECK(transport.connect(request.url));
        auto answer = send(transport, request, "requestvoucher", context_);
        if (answer || answer.error().reason != Cause::reset) return answer;
        ACMETOOL_CHECK(transport.connect(request.url));
        return send(transport, request, "requestvoucher", context_);
    }

    Result<void> wait(std::chrono::seconds time, const http::Url& place)
    {
        last_wait_ = time;
        const auto now = context_.steady_now();
        if (now + time <= until_)
            return context_.sleep(time, {"the registrar to get a voucher", now, until_});
        Error error;
        error.code = Errc::temporary;
        error.message = place.text() + ": no voucher yet";
        error.retry_after = time;
        return fail(std::move(error));
    }

    /// True if this URL has answered, false if the request must be repeated.
    Result<bool> take(const http::Response& answer, const http::Url& place, VoucherReply& reply)
    {
        if (answer.status == 200) {
            if (!format_of(http::find(answer.headers, "content-type").value_or("")))
                return fail(Errc::protocol, place.text() + ": the answer is not a voucher", {}, "badReply");
            reply.voucher.assign(answer.body.begin(), answer.body.end());
            return true;
        }
        const auto header = http::find(answer.headers, "retry-after");
        const auto asked =
            header ? http::parse_retry_after(*header, context_.now(), kLongestWait) : std::nullopt;
        const bool told = answer.status == 202 || ((answer.status == 503 || answer.status == 401) && asked);
        // The cloud draft, after a redirect: a request with a 401 is repeated "a number of times over a
        // period of a few hours".
        const bool unknown_owner =
            !told && answer.status == 401 && visited_.size() > 1 && owner_waits_++ < kMostOwnerWaits;
        if (told || unknown_owner) {
            ACMETOOL_CHECK(wait(unknown_owner ? kOwnerWait
                                              : std::max(asked.value_or(kUsualWait), std::chrono::seconds{1}),
                                place));
            return false;
        }
        if (answer.status == 307 || answer.status == 302 || answer.status == 308 || answer.status == 301) {
            const auto location = http::find(answer.headers, "location");
            if (!location) return fail(Errc::protocol, place.text() + ": a redirect without Location");
            // RFC 8995 section 5.6 and the cloud draft: 307 keeps the POST, the others need not.
            if (answer.status != 307 && other_redirect_++ > 0)
                return fail(Errc::protocol, place.text() + ": a second redirect that is not 307", {},
                            "tooManyRedirects");
            ACMETOOL_TRY(next, http::resolve(place, *location));
            next_ = next;
            if (next_->target == "/") next_->target = well_known("requestvoucher");
            return true;
        }
        return fail(refusal(place.text(), answer));
    }

    const PledgeOptions& options_;
    base::Context& context_;
    std::optional<SignedRequest> given_;
    std::chrono::steady_clock::time_point until_;
    bool built_in_;
    bool cloud_redirect_ = false;
    unsigned other_redirect_ = 0;
    unsigned owner_waits_ = 0;
    std::chrono::seconds last_wait_ = kUsualWait;
    std::set<std::string> visited_;
    std::optional<http::Url> next_;
};

} // namespace

Result<http::Connection> PinnedTransport::connect(std::string_view url)
{
    auto connection = inner_->connect(url);
    if (!connection) return connection;
    if (connection->server_certificates.empty())
        return fail(Errc::protocol, fmt::format("{}: no server certificate", url), {}, "registrarChanged");
    const auto& shown = connection->server_certificates.front();
    if (!expected_) expected_ = shown;
    if (shown.sha256() != expected_->sha256())
        return fail(Errc::refused,
                    fmt::format("{}: a different registrar: {} instead of {}", url,
                                base::printable(shown.subject(), 200),
                                base::printable(expected_->subject(), 200)),
                    "start again: a voucher is for one registrar", "registrarChanged");
    if (accepted_) connection->provisional = false;
    return connection;
}

Result<SignedRequest> sign_request(const http::TlsIdentity& idevid, const crypto::Certificate& registrar,
                                   Format format, std::optional<base::TimePoint> created_on)
{
    ACMETOOL_TRY(serial, enrol::device_serial(idevid.certificates.front()));
    VoucherRequest request;
    request.assertion = "proximity";
    request.serial_number = serial;
    request.nonce = new_nonce();
    request.created_on = created_on;
    request.proximity_registrar_cert = registrar.der();
    ACMETOOL_TRY(octets, seal(to_json(request), format, {idevid.key, idevid.certificates}));
    return SignedRequest{std::move(octets), request.nonce, registrar.der()};
}

Result<VoucherReply> request_voucher(const std::string& url, const PledgeOptions& options,
                                     base::Context& context, std::optional<SignedRequest> given)
{
    return Attempt{options, context, std::move(given)}.run(url);
}

VoucherVerdict check(const VoucherReply& reply, const PledgeOptions& options, base::Context& context)
{
    PledgeKnowledge knowledge{options.manufacturer,
                              options.idevid.certificates.front(),
                              reply.request.nonce,
                              options.allow_nonceless,
                              options.clock ? std::optional{context.now()} : std::nullopt,
                              reply.registrar,
                              options.crls};
    // A cloud registrar was verified by other means, and its voucher pins the server with which the device
    // enrols.
    auto verdict = check_voucher(reply.voucher, knowledge);
    if (reply.verified && verdict.voucher && !verdict.voucher->est_domain.empty()) {
        knowledge.registrar.clear();
        verdict = check_voucher(reply.voucher, knowledge);
    }
    return verdict;
}

Result<EstService> est_service(const Voucher& voucher, const crypto::Certificate& pinned)
{
    const std::string_view domain = voucher.est_domain;
    const bool address6 = !domain.starts_with('[') && std::count(domain.begin(), domain.end(), ':') > 1;
    const auto url =
        http::parse_url(fmt::format("https://{}{}{}", address6 ? "[" : "", domain, address6 ? "]" : ""));
    if (!url || domain.find_first_of("/?#@") != std::string_view::npos)
        return fail(
            Errc::protocol,
            fmt::format("est-domain of the voucher: {} is not a host name", base::printable(domain, 100)), {},
            "estDomain");
    EstService service;
    service.origin = url->origin();
    service.trust.explicit_anchors = {pinned};
    service.trust.pinned_server = true;
    return service;
}

Result<void> send_status(http::Transport& transport, const std::string& origin, std::string_view resource,
                         const Status& status, base::Context& context)
{
    http::Request request;
    request.method = http::Method::post;
    request.url = origin + well_known(resource);
    request.headers = {{"Content-Type", "application/json"}};
    request.body = to_json(status);
    ACMETOOL_CHECK(transport.connect(request.url));
    ACMETOOL_TRY(reply, send(transport, request, resource, context));
    if (reply.status < 200 || reply.status > 299) return fail(refusal(request.url, reply));
    return {};
}

} // namespace acmetool::brski
