#pragma once

#include <vector>

#include "base/result.h"
#include "crypto/cert.h"
#include "crypto/csr.h"

/// What every client checks in the answer to its request, whichever protocol brought it.
namespace acmetool::crypto
{

/// The certificates with the one for the key of `csr` first; the order of an answer means nothing (RFC 7030
/// section 4.2.3, RFC 9930 section 4.2.16).
///
/// Each name of the request must be in that certificate: a CA may add names, but a client that asked for a
/// name cannot use a certificate for another. Errors: protocol, reason "otherKey" (no certificate for that
/// key) or "certificateNames".
ACMETOOL_EXPORT Result<std::vector<Certificate>> own_first(std::vector<Certificate> certificates,
                                                           const Csr& csr);

} // namespace acmetool::crypto
