#pragma once

#include <string_view>

/// Object identifiers of what stands in requests and certificates.
namespace acmetool::crypto::oid
{

// Attributes of a subject (RFC 5280 appendix A.1).
inline constexpr std::string_view kCommonName = "2.5.4.3";
inline constexpr std::string_view kSerialNumber = "2.5.4.5";

// Extensions (RFC 5280 sections 4.2.1.1 to 4.2.1.12).
inline constexpr std::string_view kSubjectKeyIdentifier = "2.5.29.14";
inline constexpr std::string_view kKeyUsage = "2.5.29.15";
inline constexpr std::string_view kSubjectAltName = "2.5.29.17";
inline constexpr std::string_view kBasicConstraints = "2.5.29.19";
inline constexpr std::string_view kAuthorityKeyIdentifier = "2.5.29.35";
inline constexpr std::string_view kExtKeyUsage = "2.5.29.37";

// Attributes of a request (RFC 2985 sections 5.4.1 and 5.4.2).
inline constexpr std::string_view kChallengePassword = "1.2.840.113549.1.9.7";
inline constexpr std::string_view kExtensionRequest = "1.2.840.113549.1.9.14";

} // namespace acmetool::crypto::oid
