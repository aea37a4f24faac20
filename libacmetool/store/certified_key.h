#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "crypto/cert.h"
#include "crypto/key.h"

namespace acmetool::store
{

/// The certificates of a PEM file, in its order, at least one. Errors: io, bad_input.
ACMETOOL_EXPORT Result<std::vector<crypto::Certificate>> read_certificates(const std::string& file);

/// A private key and the certificate of its public key, stored in BASE.key and BASE.pem.
struct CertifiedKey {
    crypto::Certificate certificate;
    crypto::Key key;
};

/// Nothing if BASE.pem does not exist. Errors: io, bad_input.
ACMETOOL_EXPORT Result<std::optional<CertifiedKey>> load_certified_key(const std::string& base);

/// Writes BASE.key (0600) and BASE.pem, with the PEM text `chain` after the certificate. The key is written
/// first, so that a certificate never lacks its key. Errors: cannot_create, io.
ACMETOOL_EXPORT Result<void> save_certified_key(const std::string& base, const CertifiedKey& pair,
                                                const std::string& chain = {});

} // namespace acmetool::store
