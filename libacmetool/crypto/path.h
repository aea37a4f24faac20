#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
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

/// Builds and validates a path from `certificate` through `others` to an anchor, at the system's time.
///
/// Returns it with the end entity first and the anchor last. Errors: refused, reason "path", with OpenSSL's
/// message; config, reason "caFile", if the anchors' file cannot be read.
ACMETOOL_EXPORT Result<std::vector<Certificate>> verify_path(const Certificate& certificate,
                                                             const std::vector<Certificate>& others,
                                                             const TrustAnchors& anchors,
                                                             Purpose purpose = Purpose::any);

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
