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

/// A connection that requires the same server certificate whenever it is reopened (RFC 8995 section 5: "both
/// sides [...] MUST use the same certificates"). The inner transport may be provisional. Additional error of
/// connect(): refused, reason "registrarChanged".
class ACMETOOL_EXPORT PinnedTransport final : public http::Transport
{
public:
    /// Requires the first certificate presented.
    explicit PinnedTransport(std::unique_ptr<http::Transport> inner) : inner_(std::move(inner)) {}
    PinnedTransport(std::unique_ptr<http::Transport> inner, const crypto::Certificate& expected)
        : inner_(std::move(inner)), expected_(expected)
    {
    }
    Result<http::Connection> connect(std::string_view url) override;
    Result<http::Response> send(const http::Request& request) override { return inner_->send(request); }
    /// Call this when a voucher authenticates that certificate: its connections are then no longer
    /// provisional.
    void accept() { accepted_ = true; }

private:
    std::unique_ptr<http::Transport> inner_;
    std::optional<crypto::Certificate> expected_; ///< nothing: no certificate was presented yet
    bool accepted_ = false;
};

struct PledgeOptions {
    http::TlsIdentity idevid;
    crypto::AnchorStore manufacturer;           ///< trust anchors of voucher signers
    std::shared_ptr<const crypto::CrlSet> crls; ///< of the domain; see PledgeKnowledge
    bool allow_nonceless = false;
    bool clock = true; ///< false: the host has none, and dates are ignored
    Format format = Format::cms;
    /// The built-in anchors of a pledge that starts at a cloud registrar; nothing: connections are
    /// provisional from the start.
    std::optional<crypto::TrustAnchors> cloud_anchors;
    std::chrono::milliseconds deadline{std::chrono::hours{96}}; ///< of one attempt, including all waits
    http::TlsClientOptions tls; ///< timeouts; trust and identity are overwritten
};

/// The request, created once and sent unchanged in each attempt.
struct SignedRequest {
    Bytes octets;
    std::string nonce;
    Bytes registrar; ///< DER of the certificate in it
};

/// A voucher-request of this device for the registrar that presented `registrar` (RFC 8995 section 5.2).
ACMETOOL_EXPORT Result<SignedRequest> sign_request(const http::TlsIdentity& idevid,
                                                   const crypto::Certificate& registrar, Format format,
                                                   std::optional<base::TimePoint> created_on);

/// The received voucher and its registrar.
struct VoucherReply {
    std::string origin; ///< of the registrar, "https://host:port"
    Bytes voucher;      ///< not checked yet
    SignedRequest request;
    std::vector<crypto::Certificate> registrar; ///< as presented
    std::shared_ptr<PinnedTransport> transport; ///< connects only to that registrar
    bool verified = false;                      ///< the registrar was verified with the built-in anchors
};

/// Requests a voucher from the registrar at `url` ("https://host:port"), handling 202 and redirects.
///
/// Waits at most 60 s at a time and sends the same request again. A provisional registrar may redirect once,
/// a verified one up to 24 times; redirect loops are errors. After a redirect, a request answered with 401 is
/// repeated four times in two hours. `given` is an existing request for this registrar. Errors: those of the
/// transport; refused (4xx; "registrarChanged": `given` is for another one), unavailable (5xx), temporary
/// (the deadline passed), protocol ("redirectLoop", "tooManyRedirects", "badReply").
ACMETOOL_EXPORT Result<VoucherReply> request_voucher(const std::string& url, const PledgeOptions& options,
                                                     base::Context& context,
                                                     std::optional<SignedRequest> given = std::nullopt);

/// Checks the voucher and the connection over which it was received.
ACMETOOL_EXPORT VoucherVerdict check(const VoucherReply& reply, const PledgeOptions& options,
                                     base::Context& context);

/// The EST server named in a voucher, as "https://host[:port]", and the rules for authorizing it: it must
/// present the pinned certificate, or a certificate with that name below it (draft-ietf-anima-brski-cloud).
/// Errc::protocol, reason "estDomain".
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
