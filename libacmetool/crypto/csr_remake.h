#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "crypto/cert.h"
#include "crypto/csr.h"
#include "crypto/key.h"

/// Requests derived from another request or from the certificate to renew.
namespace acmetool::crypto
{

/// The same request signed again with `key`, with another challengePassword (none: without one).
///
/// Subject and all other attributes are unchanged (RFC 7030 section 3.5: a binding belongs to one
/// connection). Errc::config, reason "csrKey", if `key` is not the request's.
ACMETOOL_EXPORT Result<Csr> remake_csr(const Csr& csr, const Key& key,
                                       const std::optional<std::string>& challenge_password);

/// A request of `key` with the Subject and the subject alternative name of `certificate`, octet by octet
/// (RFC 7030 section 4.2.2).
ACMETOOL_EXPORT Result<Csr> csr_like(const Certificate& certificate, const Key& key,
                                     const std::optional<std::string>& challenge_password = {});

/// True if both have the same Subject and the same subject alternative name, or none.
ACMETOOL_EXPORT bool asks_for_same_names(const Csr& csr, const Certificate& certificate);

} // namespace acmetool::crypto
