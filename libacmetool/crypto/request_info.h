#pragma once

#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include <string>
#include <vector>

#include "crypto/cert.h"
#include "crypto/csr.h"

/// What a registration authority compares of requests and certificates.
namespace acmetool::crypto
{

/// SHA-256 over the CertificationRequestInfo with its challengePassword taken out: equal for requests that
/// were only signed anew for another connection. Errc::bad_input where the DER is no request.
ACMETOOL_EXPORT Result<Bytes> info_digest(const Csr& csr);

/// The extensions that a request asks for, as object identifiers in dotted decimal.
ACMETOOL_EXPORT std::vector<std::string> requested_extensions(const Csr& csr);

/// True if both subjects are the same name (RFC 5280 section 7.1).
ACMETOOL_EXPORT bool same_subject(const Csr& csr, const Certificate& certificate);

/// SHA-256 of `data`.
ACMETOOL_EXPORT Bytes sha256(ByteView data);

/// `count` octets of OpenSSL's generator.
ACMETOOL_EXPORT Bytes random_bytes(std::size_t count);

} // namespace acmetool::crypto
