#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/key.h"
#include "crypto/openssl.h"

/// Parts of a request that crypto/'s sources share.
namespace acmetool::crypto
{

/// A CertificationRequest (RFC 2986 section 4), borrowed; all of them with tag and length. Read here, because
/// OpenSSL decodes the public key each time it reads a request, which takes four times as long as to verify a
/// signature.
struct RequestParts {
    ByteView info;              ///< CertificationRequestInfo, which is signed
    ByteView before_attributes; ///< version, subject and key, in one piece
    ByteView subject;
    ByteView key; ///< SubjectPublicKeyInfo
    std::vector<ByteView> attributes;
    ByteView algorithm; ///< of the signature
    ByteView signature; ///< a BIT STRING
};

/// Errc::bad_input if the octets are not the outline of a request. The parts themselves are not read.
Result<RequestParts> read_request_parts(ByteView csr);

/// Null, with OpenSSL's reasons, unless the octets are one Name in DER.
NamePtr read_name(ByteView der);

/// The digest to sign with: `wanted`, by OpenSSL's name, or the default of the key; nullptr for Ed25519.
const EVP_MD* digest_for(const Key& key, const std::string& wanted = {});

/// Adds the attribute challengePassword (RFC 2985 section 5.4.1). Errc::bad_input unless it is 1 to 255
/// octets long.
Result<void> add_challenge_password(X509_REQ* request, std::string_view password);

} // namespace acmetool::crypto
