#pragma once

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "crypto/cert.h"
#include "crypto/key.h"

namespace acmetool::crypto
{

/// The content of a certificate for a lab.
struct CertificateProfile {
    std::string common_name;
    std::string serial_number; ///< X520 serialNumber in the subject; empty: none
    /// Extensions by name or OID, values in the form of x509v3_config(5): {"keyUsage", "digitalSignature"}.
    std::vector<std::pair<std::string, std::string>> extensions;
    base::TimePoint not_before{};
    base::TimePoint not_after{}; ///< 9999-12-31 for a device's (RFC 5280 section 4.1.2.5)
};

/// A certificate of version 3 with a random serial number, signed by `issuer_key`; self-signed if there is no
/// `issuer`. Errc::bad_input if an extension cannot be created.
ACMETOOL_EXPORT Result<Certificate> build_certificate(const CertificateProfile& profile, const Key& subject,
                                                      const Certificate* issuer, const Key& issuer_key);

} // namespace acmetool::crypto
