#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "crypto/cert.h"

/// Certification paths (RFC 5280 section 6) and the purposes of end entity certificates.
namespace acmetool::crypto
{

/// Trust anchors, which need not be self-signed.
struct TrustAnchors {
    std::vector<Certificate> certificates;
    std::string file;    ///< PEM file with additional anchors; empty: none
    bool system = false; ///< also the system's store
};

enum class Purpose { any, tls_server };

/// What a certification path must fulfil besides leading to an anchor. Every caller states its policy by
/// name.
///
/// No policy checks revocation: devices cannot reach CRL or OCSP servers before they are enrolled, and the
/// store knows what was revoked here.
struct PathPolicy {
    Purpose purpose = Purpose::any;    ///< extended key usage and key usage of the end entity
    std::optional<base::TimePoint> at; ///< all certificates are valid then; absent: the system's time

    /// The certificate of a TLS server, of the name asked for: serverAuth, now.
    static PathPolicy tls_server() { return {Purpose::tls_server, {}}; }
    /// An EST server that is known by id-kp-cmcRA or by its very certificate (RFC 7030 section 3.6.1): it
    /// needs no serverAuth.
    static PathPolicy known_est_server() { return {}; }
    /// A CA certificate of /cacerts (RFC 7030 section 4.1.3).
    static PathPolicy ca_certificate() { return {}; }
    /// The IDevID of a device: any purpose (IEEE 802.1AR names none).
    static PathPolicy idevid(base::TimePoint now) { return {Purpose::any, now}; }
    /// The signer of a voucher, a MASA; `time` is the signer's own notBefore for a device without a clock.
    static PathPolicy voucher_signer(base::TimePoint time) { return {Purpose::any, time}; }
    /// A registrar's certificate under the domain that a voucher pins, or that a MASA knows; `time` as above.
    static PathPolicy registrar(base::TimePoint time) { return {Purpose::any, time}; }
    /// What the CA issued to us, under the configured root.
    static PathPolicy issued(base::TimePoint now) { return {Purpose::any, now}; }
};

/// Builds and validates a path from `certificate` through `others` to an anchor.
///
/// Returns it with the end entity first and the anchor last. Errors: refused, reason "path", with OpenSSL's
/// message; config, reason "caFile", if the anchors' file cannot be read.
ACMETOOL_EXPORT Result<std::vector<Certificate>> verify_path(const Certificate& certificate,
                                                             const std::vector<Certificate>& others,
                                                             const TrustAnchors& anchors,
                                                             const PathPolicy& policy);

/// Where issuer_chain() ends.
enum class ChainEnd {
    below_root, ///< before the self-signed certificate, which a receiver has to know by itself
    root,       ///< with the self-signed certificate if it is known
};

/// `certificate` and, upwards from it, its issuers among `known`, ten certificates at most. What else is in
/// `known` says nothing about the certificate: a peer can send anybody's.
///
/// Names, signatures and basicConstraints are compared, and no time: it is no validation.
ACMETOOL_EXPORT std::vector<Certificate> issuer_chain(const Certificate& certificate,
                                                      const std::vector<Certificate>& known, ChainEnd end);

/// True if `host`, a name or an IP address, is in the subject alternative name (RFC 9525; no common name).
ACMETOOL_EXPORT bool is_valid_for(const Certificate& certificate, std::string_view host);

/// id-kp-cmcRA (RFC 6402 section 2.10).
inline constexpr std::string_view kCmcRaPurpose = "1.3.6.1.5.5.7.3.28";
/// RFC 5280 section 4.2.1.12.
inline constexpr std::string_view kServerAuthPurpose = "1.3.6.1.5.5.7.3.1";
inline constexpr std::string_view kClientAuthPurpose = "1.3.6.1.5.5.7.3.2";

/// True if the extended key usage lists `oid` (dotted decimal). An absent extension lists nothing.
ACMETOOL_EXPORT bool has_extended_key_usage(const Certificate& certificate, std::string_view oid);

/// True if subject and issuer are the same name and the signature is by its own key.
ACMETOOL_EXPORT bool is_self_signed(const Certificate& certificate);

/// True if basicConstraints has cA, or the certificate is a self-signed one of version 1.
ACMETOOL_EXPORT bool is_ca(const Certificate& certificate);

} // namespace acmetool::crypto
