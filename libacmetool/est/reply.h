#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "crypto/cert.h"
#include "est/csrattrs.h"
#include "est/operation.h"
#include "http/client.h"

/// Interpretation of an EST server's HTTP replies; no I/O. The bodies come from a peer: codec, cms, csrattrs
/// and cmc_error parse them.
namespace acmetool::est
{

/// A reply other than the success or "not yet" of its operation, as an error.
///
/// 4xx are refused, 429 rate_limited, 503 with Retry-After temporary, other 5xx unavailable, the rest
/// protocol. The message contains the server's text, or CMCFailInfo by name and statusString (RFC 7030
/// section 4.2.3, RFC 8951 section 5). Reasons: "notImplemented" (404, 501), "unauthenticated" (401), else
/// the failInfo's name if there is one.
ACMETOOL_EXPORT Error error_of(Operation operation, const http::Response& response, base::TimePoint now);

/// The certificates of a certs-only body, at least one, in the server's order. The content type is ignored,
/// except that a web page is an error. Errc::protocol, reason "notCertsOnly".
ACMETOOL_EXPORT Result<std::vector<crypto::Certificate>> parse_certificates(Operation operation,
                                                                            const http::Response& response);

/// True if the status says that the server has no CSR attributes: 204 or 404 (RFC 7030 section 4.5.2), or
/// 405 or 501, with which servers say that they do not have the operation.
ACMETOOL_EXPORT bool lacks_csrattrs(const http::Response& response);

/// The attributes of a /csrattrs reply of status 200 or lacks_csrattrs(); the latter, and an empty body,
/// request nothing (RFC 7030 section 4.5.2, RFC 8951 section 4). Returns the DER for parse_csrattrs.
/// Errc::protocol.
ACMETOOL_EXPORT Result<Bytes> parse_csrattrs_body(const http::Response& response);

/// The wait requested by a 202 or 503; nothing if it is absent or malformed.
ACMETOOL_EXPORT std::optional<std::chrono::seconds> retry_after_of(const http::Response& response,
                                                                   base::TimePoint now);

} // namespace acmetool::est
