#pragma once

#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

#include "crypto/cert.h"
#include "crypto/csr.h"

/// What a registration authority compares of requests and certificates.
namespace acmetool::crypto
{

/// SHA-256 over the CertificationRequestInfo with its challengePassword taken out: equal for requests that
/// were only signed anew for another connection. Errc::bad_input where the DER is no request.
ACMETOOL_EXPORT Result<Bytes> info_digest(const Csr& csr);

/// Everything that a request asks for, its key apart.
struct RequestContents {
    struct Name {
        std::string oid;
        std::string value; ///< UTF-8; empty where it is no text
    };
    std::vector<Name> subject;           ///< in their order, whichever RDN they stand in
    std::vector<std::string> attributes; ///< their types, extensionRequest among them
    std::vector<Extension> extensions;   ///< of extensionRequest (RFC 2985 section 5.4.2)
};

/// Errc::bad_input where a part is not as RFC 2986 and RFC 2985 have it, in DER.
ACMETOOL_EXPORT Result<RequestContents> request_contents(const Csr& csr);

/// "tlsfeature (1.3.6.1.5.5.7.1.24)", or the object identifier only where OpenSSL has no name for it.
ACMETOOL_EXPORT std::string describe_oid(const std::string& oid);

/// True if `identifier` is a digest of the key, as in RFC 5280 section 4.2.1.2 (1) or RFC 7093 section 2.
ACMETOOL_EXPORT bool is_key_identifier_of(ByteView identifier, const Key& key);

/// True if both subjects are the same name (RFC 5280 section 7.1).
ACMETOOL_EXPORT bool same_subject(const Csr& csr, const Certificate& certificate);

} // namespace acmetool::crypto
