#pragma once

#include <optional>
#include <string>

#include "crypto/cert.h"

namespace acmetool::acme
{

/// How ACME Renewal Information names a certificate (RFC 9773 section 4.1): the keyIdentifier of its
/// authority key identifier and the content octets of its serial number, each as base64url, separated by a
/// dot. Nothing if the certificate has no such keyIdentifier.
ACMETOOL_EXPORT std::optional<std::string> certificate_id(const crypto::Certificate& certificate);

} // namespace acmetool::acme
