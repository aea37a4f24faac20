#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "brski/envelope.h"

/// A manufacturer for labs: its CA, its MASA's certificates and its devices, all in one folder.
namespace acmetool::brski
{

/// The manufacturer's CA and the MASA's signing certificate in `folder`: vendor.pem, vendor.key, masa.pem,
/// masa.key. Created if absent.
struct LabManufacturer {
    crypto::Key ca_key;
    crypto::Certificate ca;
    Signer masa; ///< the signer's certificate and the CA's
};
ACMETOOL_EXPORT Result<LabManufacturer> open_manufacturer(const std::string& folder, base::TimePoint now);

/// A TLS server certificate for `names`, DNS names and addresses, as masa-tls.pem and masa-tls.key in
/// `folder`; replaced if it expires within a day or lacks a name.
ACMETOOL_EXPORT Result<void> make_tls_certificate(const LabManufacturer& manufacturer,
                                                  const std::string& folder,
                                                  const std::vector<std::string>& names, base::TimePoint now);

/// An IDevID without expiry for `key`: serialNumber in the subject and, if `url` is not empty, the MASA URL
/// extension (RFC 8995 section 2.3).
ACMETOOL_EXPORT Result<crypto::Certificate> make_idevid(const LabManufacturer& manufacturer,
                                                        const crypto::Key& key,
                                                        const std::string& serial_number,
                                                        const std::string& url, base::TimePoint now);

} // namespace acmetool::brski
