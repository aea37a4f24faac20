#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "crypto/cert.h"

/// Certification paths (RFC 5280 section 6) and what an end entity's certificate is good for.
namespace acmetool::crypto
{

/// What is believed by itself. Certificates in it need not be self-signed: whoever lists one trusts it.
struct TrustAnchors {
    std::vector<Certificate> certificates;
    std::string file;    ///< PEM file with more of them; empty: none
    bool system = false; ///< the system's store, too
};

enum class Purpose { any, tls_server };

/// Builds and validates a path from `certificate` over `others` to an anchor; now is the system's time.
///
/// Returns it with the end entity first and the anchor last. Errors: refused, reason "path", with OpenSSL's
/// words; config, reason "caFile", where the anchors' file cannot be read.
ACMETOOL_EXPORT Result<std::vector<Certificate>> verify_path(const Certificate& certificate,
                                                             const std::vector<Certificate>& others,
                                                             const TrustAnchors& anchors,
                                                             Purpose purpose = Purpose::any);

/// Where issuer_chain() ends.
enum class ChainEnd {
    below_root, ///< without the self-signed certificate: whoever gets the chain has it, or does not believe
                ///< it
    root,       ///< with it, if it is known
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

/// True if basicConstraints says cA, or the certificate is a self-signed one of version 1.
ACMETOOL_EXPORT bool is_ca(const Certificate& certificate);

} // namespace acmetool::crypto
