#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"

/// TLV types and error codes: RFC 7170 sections 4.2 and 7, RFC 9930, and our values for those that are not
/// assigned.
namespace acmetool::teap
{

namespace tlv_type
{
inline constexpr std::uint16_t kAuthorityId = 1;
inline constexpr std::uint16_t kIdentityType = 2;
inline constexpr std::uint16_t kResult = 3;
inline constexpr std::uint16_t kNak = 4;
inline constexpr std::uint16_t kError = 5;
inline constexpr std::uint16_t kChannelBinding = 6;
inline constexpr std::uint16_t kVendorSpecific = 7;
inline constexpr std::uint16_t kRequestAction = 8;
inline constexpr std::uint16_t kEapPayload = 9;
inline constexpr std::uint16_t kIntermediateResult = 10;
inline constexpr std::uint16_t kPac = 11;
inline constexpr std::uint16_t kCryptoBinding = 12;
inline constexpr std::uint16_t kBasicPasswordAuthReq = 13;
inline constexpr std::uint16_t kBasicPasswordAuthResp = 14;
inline constexpr std::uint16_t kPkcs7 = 15;
inline constexpr std::uint16_t kPkcs10 = 16;
inline constexpr std::uint16_t kTrustedServerRoot = 17;
inline constexpr std::uint16_t kCsrAttributes = 18;
inline constexpr std::uint16_t kIdentityHint = 19;
} // namespace tlv_type

namespace error_code
{
inline constexpr std::uint32_t kUnspecifiedAuthentication = 1003;
inline constexpr std::uint32_t kUnspecifiedAuthorization = 1004;
inline constexpr std::uint32_t kInfrastructureUnavailable = 1009;
inline constexpr std::uint32_t kInfrastructureNotTrusted = 1010;
inline constexpr std::uint32_t kClientCertificateNotSupplied = 1019;
inline constexpr std::uint32_t kClientCertificateRejected = 1020;
inline constexpr std::uint32_t kUnsupportedAlgorithmInCsr = 1022;
inline constexpr std::uint32_t kUnsupportedExtensionInCsr = 1023;
inline constexpr std::uint32_t kBadIdentityInCsr = 1024;
inline constexpr std::uint32_t kBadCsr = 1025;
inline constexpr std::uint32_t kInternalCaError = 1026;
inline constexpr std::uint32_t kGeneralPkiError = 1027;
inline constexpr std::uint32_t kInnerMethodNotSupported = 1032;
inline constexpr std::uint32_t kTunnelCompromise = 2001;
inline constexpr std::uint32_t kUnexpectedTlvs = 2002;
inline constexpr std::uint32_t kBadCryptoBinding = 2003; ///< this and the next six: RFC 9930
inline constexpr std::uint32_t kWrongMskMac = 2006;
inline constexpr std::uint32_t kWrongEmskMac = 2008;
inline constexpr std::uint32_t kLastAssigned = 2009;
} // namespace error_code

/// Code points that draft-lear-eap-teap-brski leaves to be assigned: defaults from the upper end of the
/// 14-bit space and of each range of errors. Peer and server must use the same.
struct BrskiNumbers {
    std::uint16_t request_voucher = 0x3ff0;      ///< BRSKI-RequestVoucher TLV (TBD1)
    std::uint16_t voucher = 0x3ff1;              ///< BRSKI-Voucher TLV (TBD4)
    std::uint16_t retry_after = 0x3ff2;          ///< Retry-After TLV (TBD10)
    std::uint16_t nai = 0x3ff3;                  ///< NAI TLV
    std::uint32_t masa_unavailable = 1990;       ///< TBD2
    std::uint32_t masa_refused = 1991;           ///< TBD3
    std::uint32_t invalid_signature = 1992;      ///< TBD5
    std::uint32_t invalid_voucher = 1993;        ///< TBD6
    std::uint32_t invalid_tls_signer = 1994;     ///< TBD7
    std::uint32_t csr_attributes_not_met = 1995; ///< TBD9
    std::uint32_t retry_same_tunnel = 1996;      ///< TBD11
    std::uint32_t retry_new_tunnel = 2990;       ///< TBD12
    std::uint32_t nai_rejected = 1997;           ///< TBD13
};

/// Sets one of them to another number: "NAME=NUMBER", NAME with '-' or '_', NUMBER decimal or 0x....
/// Errc::usage if the name is unknown (the hint lists all), or the number is otherwise assigned or outside
/// the range that the draft requires.
ACMETOOL_EXPORT Result<void> set_number(BrskiNumbers& numbers, std::string_view assignment);

} // namespace acmetool::teap
