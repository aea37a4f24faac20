#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

#include "crypto/cert.h"
#include "crypto/csr.h"

/// Properties of requests and certificates that a registration authority compares.
namespace acmetool::crypto
{

/// SHA-256 of the CertificationRequestInfo without its challengePassword: equal for requests that were only
/// signed again for another connection. Errc::bad_input if the DER is not a request.
ACMETOOL_EXPORT Result<Bytes> info_digest(const Csr& csr);

/// The whole content of a request, except its key.
struct RequestContents {
    struct Name {
        std::string oid;
        std::string value; ///< UTF-8; empty if it is not a string
    };
    std::vector<Name> subject;           ///< in their order, independent of their RDN
    std::vector<std::string> attributes; ///< their types, including extensionRequest
    std::vector<Extension> extensions;   ///< of extensionRequest (RFC 2985 section 5.4.2)
};

/// Errc::bad_input if a part violates RFC 2986, RFC 2985 or DER.
ACMETOOL_EXPORT Result<RequestContents> request_contents(const Csr& csr);

/// The common name of a request without SAN, as an identifier. RFC 8555 section 7.4: names "MUST appear
/// either in the commonName portion of the requested subject name or in an extensionRequest attribute".
/// Nothing if it has a SAN, even an empty one, or not exactly one common name.
ACMETOOL_EXPORT std::optional<Identifier> name_in_subject(const Csr& csr);

/// "tlsfeature (1.3.6.1.5.5.7.1.24)", or only the object identifier if OpenSSL has no name for it.
ACMETOOL_EXPORT std::string describe_oid(const std::string& oid);

/// True if `identifier` is a digest of the key, as in RFC 5280 section 4.2.1.2 (1) or RFC 7093 section 2.
ACMETOOL_EXPORT bool is_key_identifier_of(ByteView identifier, const Key& key);

/// The subject of a request, a Name in DER. Errc::bad_input if `csr` is no request in DER.
ACMETOOL_EXPORT Result<Bytes> requested_subject(ByteView csr);
/// The key to certify; the signature is not verified, because parse_csr did. Errc::bad_input as above.
ACMETOOL_EXPORT Result<Key> requested_key(ByteView csr);

/// True if both subjects are the same name (RFC 5280 section 7.1). `name` is a Name in DER.
ACMETOOL_EXPORT bool same_subject(const Csr& csr, const Certificate& certificate);
ACMETOOL_EXPORT bool requests_subject(const Csr& csr, ByteView name);
ACMETOOL_EXPORT bool is_subject_of(ByteView name, const Certificate& certificate);

} // namespace acmetool::crypto
