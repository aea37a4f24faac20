#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/key.h"

/// PKCS#10 certification requests (RFC 2986), made and read.
namespace acmetool::crypto
{

/// What a subject alternative name may hold here.
struct Identifier {
    std::string type; ///< "dns" or "ip" (RFC 8555 section 9.7.7, RFC 8738)
    std::string
        value; ///< A-labels in lower case without trailing dot; an address as RFC 8738 section 3 writes it

    auto operator<=>(const Identifier&) const = default;
};

/// A parsed request whose signature was verified. Immutable; copies are cheap enough to pass by value.
struct ACMETOOL_EXPORT Csr {
    Bytes der;                            ///< exactly as received
    Key key;                              ///< the public key
    std::vector<Identifier> identifiers;  ///< of the SAN, sorted, without duplicates; names in lower case
    std::string common_name;              ///< of the subject; empty if there is none
    std::vector<std::string> other_names; ///< SAN entries of other types, described ("email:a@example.com")
    std::optional<std::string> challenge_password; ///< RFC 2985 section 5.4.1; may be a channel binding

    std::string to_pem() const;
};

/// Parses a PEM or DER request and verifies its signature (proof of possession).
///
/// Errc::bad_input with reason "notACsr" (no PKCS#10 in it), "csrSignature" (signature wrong) or "csrSan" (a
/// SAN that cannot be read, such as a NUL octet in a name). A request without SAN is taken: see
/// require_identifiers.
ACMETOOL_EXPORT Result<Csr> parse_csr(std::string_view text);

/// The identifiers, or bad_input ("csrWithoutSan") where there are none: this product never relies on the CN.
/// Also refuses a common name that is not among them, and SAN entries of other types (RFC 8555 section 7.4).
ACMETOOL_EXPORT Result<std::vector<Identifier>> require_identifiers(const Csr& csr);

/// An X.509 extension to ask for.
struct Extension {
    std::string oid; ///< dotted decimal
    bool critical = false;
    Bytes value; ///< extnValue's content, DER
};

struct CsrOptions {
    std::vector<Identifier> identifiers; ///< for the SAN; at least one, unless `extensions` has the SAN
    std::string common_name;             ///< must repeat one of the names; left out when over 64 characters
    std::optional<std::string> challenge_password; ///< base64 of a channel binding, at most 255 octets
    Bytes subject; ///< a whole Name in DER, taken as it is instead of common_name; may be empty
    std::vector<Extension> extensions; ///< asked for after the SAN, as they are; one may be the SAN itself
    std::string digest;                ///< "sha256", "sha384", "sha512"; empty: by the key
};

/// Builds and signs a version 1 request; SAN inside an extensionRequest attribute (RFC 2986, RFC 2985).
/// Where `digest` is empty, it follows the key (SHA-256/384/512 by curve, SHA-256 for RSA); Ed25519 has none.
ACMETOOL_EXPORT Result<Csr> build_csr(const Key& key, const CsrOptions& options);

} // namespace acmetool::crypto
