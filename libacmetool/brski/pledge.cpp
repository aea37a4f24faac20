#include "brski/pledge.h"

#include <algorithm>
#include <set>

#include <fmt/core.h>

#include "base/text.h"
#include "brski/idevid.h"
#include "enrol/device_label.h"
#include "http/retry_after.h"
#include "http/url.h"

namespace acmetool::brski
{
namespace
{

constexpr std::chrono::seconds kLongestWait{60}; // RFC 8995 section 5.6
constexpr std::chrono::seconds kUsualWait{10};
constexpr unsigned kMostRedirects = 24;

Error refusal(const std::string& url, const http::Response& reply)
{
    Error error;
    error.code = reply.status >= 500 ? Errc::unavailable : Errc::refused;
    error.message =
        fmt::format("{}: status {}: {}", url, reply.status, base::printable(base::trim(reply.body), 300));
    if (reply.status == 401) error.reason = "unauthorized";
    return error;
}

/// One attempt: places, waits and what is left of the time.
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
        if (place.target == "/") place.target = std::string{kWellKnown} + "/requestvoucher";
        unsigned redirects = 0;
        while (true) {
            if (!visited_.insert(place.text()).second)
                return fail(Errc::protocol,
                            fmt::format("{}: redirected to a place seen before", place.text()), {},
                            "redirectLoop");
            ACMETOOL_TRY(reply, ask_there(place));
            if (!next_) return std::move(reply);
            ++redirects;
            // RFC 8995 section 5.6: one; of registrars that were verified, the cloud draft takes more.
            const bool allowed =
                reply.verified ? redirects <= kMostRedirects : redirects <= 1 && !cloud_redirect_;
            if (!allowed)
                return fail(Errc::protocol,
                            fmt::format("{}: redirect to {} refused, there were too many or the registrar is "
                                        "not verified",
                                        place.text(), next_->text()),
                            {}, "tooManyRedirects");
            cloud_redirect_ = cloud_redirect_ || reply.verified;
            place = *next_;
            next_.reset();
        }
    }

private:
    /// Provisional, or by the built-in anchors where there are any and they will do.
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
            // The first place is the cloud registrar itself: no provisional TLS there.
            if (connection || visited_.size() == 1) {
                reply.transport = std::move(verified);
                return connection;
            }
            if (connection.error().reason.find("tls") != 0) return connection;
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
            // Another registrar has to be named in another request, with a nonce of its own.
            const auto created = options_.clock ? std::optional{context_.now()} : std::nullopt;
            ACMETOOL_TRY(request,
                         sign_request(options_.idevid, reply.registrar.front(), options_.format, created));
            reply.request = std::move(request);
        }
        http::Request request;
        request.method = http::Method::post;
        request.url = place.text();
        const auto type = std::string{media_type(options_.format)};
        request.headers = {{"Content-Type", type}, {"Accept", type}};
        request.body = as_text(reply.request.octets);
        while (true) {
            auto answer = reply.transport->send(request);
            if (!answer && answer.error().reason == "reset") {
                ACMETOOL_CHECK(reply.transport->connect(request.url));
                answer = reply.transport->send(request);
            }
            if (!answer) return fail(std::move(answer).error());
            ACMETOOL_TRY(done, take(*answer, place, reply));
            if (done) return reply;
            ACMETOOL_CHECK(reply.transport->connect(request.url));
        }
    }

    /// True where this place has answered, false where it wants to be asked again.
    Result<bool> take(const http::Response& answer, const http::Url& place, VoucherReply& reply)
    {
        if (answer.status == 200) {
            if (!format_of(http::find(answer.headers, "content-type").value_or("")))
                return fail(Errc::protocol, place.text() + ": the answer is no voucher", {}, "badReply");
            reply.voucher.assign(answer.body.begin(), answer.body.end());
            return true;
        }
        const auto header = http::find(answer.headers, "retry-after");
        const auto asked =
            header ? http::parse_retry_after(*header, context_.now(), kLongestWait) : std::nullopt;
        const bool again = answer.status == 202 || ((answer.status == 503 || answer.status == 401) && asked);
        if (again) {
            const auto now = context_.steady_now();
            const auto wait = std::max(asked.value_or(kUsualWait), std::chrono::seconds{1});
            if (now + wait > until_) {
                Error error;
                error.code = Errc::temporary;
                error.message = place.text() + ": no voucher yet";
                error.retry_after = wait;
                return fail(std::move(error));
            }
            ACMETOOL_CHECK(context_.sleep(wait, {"the registrar to get a voucher", now, until_}));
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
            if (next_->target == "/") next_->target = std::string{kWellKnown} + "/requestvoucher";
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
                    fmt::format("{}: another registrar than before: {} instead of {}", url,
                                base::printable(shown.subject(), 200),
                                base::printable(expected_->subject(), 200)),
                    "begin anew: a voucher is for one registrar", "registrarChanged");
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
    return SignedRequest{std::move(octets), request.nonce};
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
                              reply.registrar};
    // A cloud registrar was verified by other means, and its voucher pins whom the device enrols with.
    auto verdict = check_voucher(reply.voucher, knowledge);
    if (reply.verified && verdict.voucher && !verdict.voucher->est_domain.empty()) {
        knowledge.registrar.clear();
        verdict = check_voucher(reply.voucher, knowledge);
    }
    return verdict;
}

Result<void> send_status(http::Transport& transport, const std::string& origin, std::string_view resource,
                         const Status& status)
{
    http::Request request;
    request.method = http::Method::post;
    request.url = fmt::format("{}{}/{}", origin, kWellKnown, resource);
    request.headers = {{"Content-Type", "application/json"}};
    request.body = to_json(status);
    ACMETOOL_CHECK(transport.connect(request.url));
    ACMETOOL_TRY(reply, transport.send(request));
    if (reply.status < 200 || reply.status > 299) return fail(refusal(request.url, reply));
    return {};
}

} // namespace acmetool::brski
