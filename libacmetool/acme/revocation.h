#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "acme/client.h"
#include "base/json.h"
#include "base/result.h"
#include "crypto/cert.h"

/// Revocation of certificates (RFC 8555 section 7.6).
namespace acmetool::acme
{

/// The names of the reasons in RFC 5280 section 5.3.1.
ACMETOOL_EXPORT std::vector<std::string> revocation_reasons();

/// A reason code (RFC 5280 section 5.3.1) by its name there, in any case, or by its number. Errc::usage.
ACMETOOL_EXPORT Result<int> parse_revocation_reason(std::string_view text);
/// "keyCompromise" of 1; empty for other numbers.
ACMETOOL_EXPORT std::string_view revocation_reason_name(int reason);

/// The signer of the request (RFC 8555 section 7.6).
enum class RevocationSigner {
    account,    ///< the client's account, by "kid"
    certificate ///< the client's key is the certificate's: "jwk"; no account is needed
};

/// Revokes `certificate`. Without `reason`, the request contains none.
///
/// One POST. Errors: unavailable (reason "revokeCertUnsupported": no revokeCert URL in the directory),
/// bad_input
/// ("certificateKeyMismatch": the client's key is not the certificate's; badRevocationReason), refused
/// (alreadyRevoked, unauthorized).
ACMETOOL_EXPORT Result<void> revoke(Client& client, const crypto::Certificate& certificate,
                                    RevocationSigner signer, std::optional<int> reason);

/// The `revocation` document.
ACMETOOL_EXPORT base::Json revocation_document(const crypto::Certificate& certificate,
                                               RevocationSigner signer, std::optional<int> reason);

} // namespace acmetool::acme
