#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "crypto/cert.h"

/// Vouchers and voucher-requests as JSON (RFC 8366 section 5, RFC 8995 section 3). For signatures, see
/// brski/envelope.h.
namespace acmetool::brski
{

/// A manufacturer's statement about a device (RFC 8366 section 5.3). Empty members are absent.
struct Voucher {
    std::string assertion;     ///< "verified", "logged", "proximity"
    std::string serial_number; ///< never empty
    std::string nonce;         ///< the original text: base64 or base64url, never re-encoded
    std::optional<base::TimePoint> created_on;
    std::optional<base::TimePoint> expires_on;
    Bytes idevid_issuer;      ///< the IDevID's authority key identifier, see same_idevid_issuer
    Bytes pinned_domain_cert; ///< DER
    std::string est_domain;   ///< draft-ietf-anima-brski-cloud: where to enrol
    /// The pledge must check the revocation of the domain's certificates, or refuse the voucher.
    bool domain_cert_revocation_checks = false;
};

/// The request of a pledge to its registrar, or of a registrar to the MASA (RFC 8995 sections 3, 5.2, 5.5).
struct VoucherRequest {
    std::string assertion;
    std::string serial_number;
    std::string nonce; ///< as in Voucher
    std::optional<base::TimePoint> created_on;
    Bytes idevid_issuer;
    Bytes proximity_registrar_cert;     ///< DER; only in a pledge's request
    Bytes prior_signed_voucher_request; ///< the pledge's signed request as received; only in a registrar's
                                        ///< request
};

inline constexpr std::size_t kLargestVoucher = 64 * 1024; ///< of the JSON text, in octets

/// Reads a voucher. Unknown leaves are ignored (RFC 8995 section 5.6.1). The rules of RFC 8366 section 5.3
/// hold: assertion, created-on and serial-number are present, the nonce has 8 to 32 octets and excludes
/// expires-on; a pinned-domain-cert is checked by its user. Errc::protocol, reason "badVoucher".
ACMETOOL_EXPORT Result<Voucher> parse_voucher(std::string_view json);

/// Reads a voucher-request; its root may be that of a voucher, because some pledges use it. Errc::protocol,
/// reason "badVoucherRequest".
ACMETOOL_EXPORT Result<VoucherRequest> parse_voucher_request(std::string_view json);

ACMETOOL_EXPORT std::string to_json(const Voucher& voucher);
ACMETOOL_EXPORT std::string to_json(const VoucherRequest& request);

/// A fresh nonce: 128 random bits in base64.
ACMETOOL_EXPORT std::string new_nonce();

/// The octets of a nonce in either base64 alphabet, padded or not; nothing if it is malformed.
ACMETOOL_EXPORT std::optional<Bytes> nonce_octets(std::string_view text);

/// True if both texts are the same octets, and not empty.
ACMETOOL_EXPORT bool same_nonce(std::string_view a, std::string_view b);

/// The certificate in a leaf. Returns the one in `known` if equal, because parsing a key takes longer than
/// verifying a signature with it. Errc::bad_input.
ACMETOOL_EXPORT Result<crypto::Certificate>
parse_certificate(ByteView leaf, const std::vector<crypto::Certificate>& known = {});

/// True if `given`, a voucher's idevid-issuer, names the issuer whose authority key identifier extension has
/// the content `own`. RFC 8366 is interpreted in three ways, which are all accepted: the extension's content,
/// that in an OCTET STRING, and the bare keyIdentifier.
ACMETOOL_EXPORT bool same_idevid_issuer(ByteView given, ByteView own);

} // namespace acmetool::brski
