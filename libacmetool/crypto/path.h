#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "crypto/cert.h"

/// Certification paths (RFC 5280 section 6) and the purposes of end entity certificates.
namespace acmetool::crypto
{

class CrlSet;

/// Trust anchors, which need not be self-signed.
struct TrustAnchors {
    std::vector<Certificate> certificates;
    std::string file;    ///< PEM file with additional anchors; empty: none
    bool system = false; ///< also the system's store
};

/// The security level of OpenSSL that every path and TLS connection has: RSA keys of 2048 bits, curves of
/// 224, no MD5 or SHA-1 in signatures.
inline constexpr int kSecurityLevel = 2;

/// What the end entity's certificate must be good for. An extension that is absent restricts nothing (RFC
/// 5280 sections 4.2.1.3 and 4.2.1.12).
enum class Purpose {
    any,                    ///< no extension is considered: CA certificates
    tls_server,             ///< serverAuth, and a keyUsage for TLS
    signer,                 ///< keyUsage digitalSignature
    identity,               ///< the same; clientAuth or anyExtendedKeyUsage
    registrar,              ///< the same; serverAuth, id-kp-cmcRA or anyExtendedKeyUsage
    registration_authority, ///< keyUsage digitalSignature; id-kp-cmcRA, which must be there
};

/// What a certification path must fulfil besides leading to an anchor, and kSecurityLevel, which all have but
/// for the signatures of anchors. Every caller states its policy by name. A path is remembered by each of
/// these (PathMemory::name_of).
struct PathPolicy {
    Purpose purpose = Purpose::any;       ///< of the end entity
    std::optional<base::TimePoint> at;    ///< all certificates are valid then; absent: the system's time
    std::shared_ptr<const CrlSet> crls{}; ///< null: revocation is not checked
    std::chrono::seconds grace{0};        ///< the end entity's certificate may have expired so long ago
    /// False: this host has no clock, and the certificates must be valid when the end entity's begins to be.
    bool clock = true;

    /// The certificate of a TLS server, of the name asked for: serverAuth, now.
    static PathPolicy tls_server() { return {Purpose::tls_server, {}}; }
    /// An EST server that is known by id-kp-cmcRA or by its very certificate (RFC 7030 section 3.6.1): it
    /// needs no serverAuth.
    static PathPolicy known_est_server() { return {Purpose::signer, {}}; }
    /// A CA certificate of /cacerts (RFC 7030 section 4.1.3).
    static PathPolicy ca_certificate() { return {}; }
    /// The IDevID of a device, which authenticates it as a TLS client and signs its voucher-requests.
    static PathPolicy idevid(base::TimePoint now, std::shared_ptr<const CrlSet> crls = nullptr)
    {
        return {Purpose::identity, now, std::move(crls)};
    }
    /// The signer of a voucher, a MASA; `time` is the signer's own notBefore for a device without a clock.
    static PathPolicy voucher_signer(base::TimePoint time) { return {Purpose::signer, time}; }
    /// A registrar as TLS server, under the domain that a voucher pins; `time` as above.
    static PathPolicy registrar(base::TimePoint time, std::shared_ptr<const CrlSet> crls = nullptr)
    {
        return {Purpose::registrar, time, std::move(crls)};
    }
    /// The signer of a registrar's voucher-request (RFC 8995 section 5.5.4).
    static PathPolicy registration_authority(base::TimePoint now)
    {
        return {Purpose::registration_authority, now};
    }
    /// What the CA issued to us or to our devices, under the configured root.
    static PathPolicy issued(base::TimePoint now, std::shared_ptr<const CrlSet> crls = nullptr)
    {
        return {Purpose::any, now, std::move(crls)};
    }
};

/// Whether an end entity's certificate is good for `purpose`, wherever its path leads. Errc::refused, reason
/// "purpose", with what is missing. For Purpose::tls_server the path decides (verify_path).
ACMETOOL_EXPORT Result<void> check_purpose(const Certificate& certificate, Purpose purpose);

/// When `certificate` is not valid at `now`: "it expired at 2026-01-02T03:04:05Z, and this clock is at ...";
/// empty if it is valid.
ACMETOOL_EXPORT std::string time_fault(const Certificate& certificate, base::TimePoint now);

/// Builds and validates a path from `certificate` through `others` to an anchor. If several paths are
/// possible, as with cross certificates, the first valid one counts, whatever the order of `others`.
///
/// Returns it with the end entity first and the anchor last. Errors: refused, with the certificate and what
/// is wrong with it, reason "path", "purpose" or "revoked"; temporary, reason "crlStale", if PathPolicy::crls
/// has no current CRL for it and requires one; config, reason "caFile", if the anchors' file cannot be read.
///
/// No key of the path, the anchor's included, may have explicit curve parameters (RFC 5480 section 2.1.1).
///
/// PathPolicy::crls must have a CRL of the end entity's issuer. CRLs of the issuers above are used if they
/// are there. A CRL that its issuer did not sign does not count.
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
/// `known` says nothing about the certificate: a peer can send anybody's. If a self-signed certificate of
/// `known` is an issuer, the chain ends there, and no cross certificate of the same name and key follows.
///
/// Names, signatures and basicConstraints are compared, and no time: it is no validation.
ACMETOOL_EXPORT std::vector<Certificate> issuer_chain(const Certificate& certificate,
                                                      const std::vector<Certificate>& known, ChainEnd end);

/// `chain` as it is, and on top of it the issuers of its last certificate among `known`, below the root: what
/// a peer needs that knows only the root (RFC 8446 section 4.4.2).
ACMETOOL_EXPORT std::vector<Certificate> complete_chain(std::vector<Certificate> chain,
                                                        const std::vector<Certificate>& known);

/// True if `host`, a name or an IP address, is in the subject alternative name (RFC 9525; no common name).
ACMETOOL_EXPORT bool is_valid_for(const Certificate& certificate, std::string_view host);

/// id-kp-cmcRA (RFC 6402 section 2.10).
inline constexpr std::string_view kCmcRaPurpose = "1.3.6.1.5.5.7.3.28";
/// RFC 5280 section 4.2.1.12.
inline constexpr std::string_view kServerAuthPurpose = "1.3.6.1.5.5.7.3.1";
inline constexpr std::string_view kClientAuthPurpose = "1.3.6.1.5.5.7.3.2";
inline constexpr std::string_view kAnyPurpose = "2.5.29.37.0";

/// True if the extended key usage lists `oid` (dotted decimal). An absent extension lists nothing.
ACMETOOL_EXPORT bool has_extended_key_usage(const Certificate& certificate, std::string_view oid);

/// True if subject and issuer are the same name and the signature is by its own key.
ACMETOOL_EXPORT bool is_self_signed(const Certificate& certificate);

/// True if `certificate` has the name and key of a self-signed one in `roots`, but another key signed it: a
/// cross certificate of that root, such as OldWithNew and NewWithOld (RFC 4210 section 4.4).
ACMETOOL_EXPORT bool is_key_update(const Certificate& certificate, const std::vector<Certificate>& roots);

/// True if basicConstraints has cA, or the certificate is a self-signed one of version 1.
ACMETOOL_EXPORT bool is_ca(const Certificate& certificate);

} // namespace acmetool::crypto
