#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/context.h"
#include "base/result.h"
#include "brski/checks.h"
#include "brski/envelope.h"
#include "brski/status.h"
#include "http/tls_client.h"

/// The pledge's side of RFC 8995 and of draft-ietf-anima-brski-cloud.
namespace acmetool::brski
{

/// A connection that has to stay with one and the same server certificate, however often it is made anew
/// (RFC 8995 section 5: "both sides [...] MUST use the same certificates"). What it is wrapped around may be
/// provisional. Errors of connect() besides: refused, reason "registrarChanged".
class ACMETOOL_EXPORT PinnedTransport final : public http::Transport
{
public:
    /// Stays with the first certificate that shows up.
    explicit PinnedTransport(std::unique_ptr<http::Transport> inner) : inner_(std::move(inner)) {}
    PinnedTransport(std::unique_ptr<http::Transport> inner, const crypto::Certificate& expected)
        : inner_(std::move(inner)), expected_(expected)
    {
    }
    Result<http::Connection> connect(std::string_view url) override;
    Result<http::Response> send(const http::Request& request) override { return inner_->send(request); }
    /// A voucher vouched for that certificate: its connections are provisional no longer.
    void accept() { accepted_ = true; }

private:
    std::unique_ptr<http::Transport> inner_;
    std::optional<crypto::Certificate> expected_; ///< nothing: none was seen yet
    bool accepted_ = false;
};

struct PledgeOptions {
    http::TlsIdentity idevid;
    crypto::AnchorStore manufacturer; ///< who may sign vouchers
    bool allow_nonceless = false;
    bool clock = true; ///< false: the host has none, and no time is compared
    Format format = Format::cms;
    /// The built-in anchors of a pledge that begins at a cloud registrar; nothing: provisional at once.
    std::optional<crypto::TrustAnchors> cloud_anchors;
    std::chrono::milliseconds deadline{std::chrono::hours{96}}; ///< of one attempt, all waits included
    http::TlsClientOptions tls;                                 ///< timeouts; trust and identity are set here
};

/// What is sent: made once, sent again as it is.
struct SignedRequest {
    Bytes octets;
    std::string nonce;
    Bytes registrar; ///< DER of the certificate that it names
};

/// A voucher-request of this device for the registrar that showed `registrar` (RFC 8995 section 5.2).
ACMETOOL_EXPORT Result<SignedRequest> sign_request(const http::TlsIdentity& idevid,
                                                   const crypto::Certificate& registrar, Format format,
                                                   std::optional<base::TimePoint> created_on);

/// The way to a voucher, and the registrar at its end.
struct VoucherReply {
    std::string origin; ///< of the registrar, "https://host:port"
    Bytes voucher;      ///< not checked yet
    SignedRequest request;
    std::vector<crypto::Certificate> registrar; ///< as it showed them
    std::shared_ptr<PinnedTransport> transport; ///< kept to that registrar and no other
    bool verified = false;                      ///< the registrar's name verified with the built-in anchors
};

/// Asks the registrar at `url` ("https://host:port") for a voucher, through 202 and redirects.
///
/// Waits at most 60 s at a time and sends the very same request again. A provisional registrar may redirect
/// once; a verified one up to 24 times, and no place is visited twice for a redirect. Where a redirect led, a
/// 401 is asked again four times in two hours. `given` is a request made before, for this registrar. Errors:
/// those of the transport; refused (4xx; "registrarChanged": `given` is for another one), unavailable (5xx),
/// temporary (the deadline passed), protocol ("redirectLoop", "tooManyRedirects", "badReply").
ACMETOOL_EXPORT Result<VoucherReply> request_voucher(const std::string& url, const PledgeOptions& options,
                                                     base::Context& context,
                                                     std::optional<SignedRequest> given = std::nullopt);

/// Every check of the voucher against the connection that it came over.
ACMETOOL_EXPORT VoucherVerdict check(const VoucherReply& reply, const PledgeOptions& options,
                                     base::Context& context);

/// The EST server that a voucher names, as "https://host[:port]", and whom it has to be there: the pinned
/// certificate itself, or a server of that name below it (draft-ietf-anima-brski-cloud). Errc::protocol,
/// reason "estDomain".
struct EstService {
    std::string origin;
    http::ServerTrust trust;
};
ACMETOOL_EXPORT Result<EstService> est_service(const Voucher& voucher, const crypto::Certificate& pinned);

/// POST /voucher_status or /enrollstatus.
ACMETOOL_EXPORT Result<void> send_status(http::Transport& transport, const std::string& origin,
                                         std::string_view resource, const Status& status,
                                         base::Context& context);

} // namespace acmetool::brski
