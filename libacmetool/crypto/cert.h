#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "crypto/csr.h"
#include "crypto/key.h"

using X509 = struct x509_st;

namespace acmetool::crypto
{

/// One X.509 certificate. Copies share the same object.
class ACMETOOL_EXPORT Certificate
{
public:
    /// Takes ownership of `x509`, which is not null.
    static Certificate adopt(X509* x509);

    X509* get() const { return x509_.get(); }

    Bytes der() const;
    std::string to_pem() const;
    Key public_key() const;
    base::TimePoint not_before() const;
    base::TimePoint not_after() const; ///< 99991231235959Z is kept exactly
    std::string serial() const;        ///< lower-case hexadecimal, as many octets as the number needs
    Bytes serial_octets() const;       ///< as encoded: two's complement, with a leading 00 if DER requires it
    Bytes
    authority_key_id() const;    ///< keyIdentifier of the issuer's key (RFC 5280 section 4.2.1.1), or empty
    std::string subject() const; ///< RFC 2253 order, for people
    std::string issuer() const;
    std::vector<Identifier> identifiers() const;        ///< dns and ip entries of the SAN, sorted, lower case
    Bytes sha256() const;                               ///< over the whole certificate
    bool is_issued_by(const Certificate& issuer) const; ///< name and signature match

private:
    std::shared_ptr<X509> x509_;
};

/// Parses a sequence of certificates in PEM, or a single one in DER; at most 100.
///
/// For a configured file. bad_input if it contains none.
ACMETOOL_EXPORT Result<std::vector<Certificate>> parse_certificates(std::string_view text,
                                                                    std::string_view what);

/// Parses the reply of an ACME certificate URL (RFC 8555 section 9.1): end entity first.
///
/// Text around the blocks, CRLF and a missing last end-of-line are accepted; a PEM block of another type is
/// refused (section 11.4: "-----BEGIN" other than CERTIFICATE), as is an empty chain. Errc::protocol.
ACMETOOL_EXPORT Result<std::vector<Certificate>> parse_pem_chain(std::string_view text);

ACMETOOL_EXPORT std::string to_pem(const std::vector<Certificate>& chain);

} // namespace acmetool::crypto
