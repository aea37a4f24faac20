#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/key.h"

/// PKCS#10 certification requests (RFC 2986): creation and parsing.
namespace acmetool::crypto
{

/// An accepted entry of a subject alternative name.
struct Identifier {
    std::string type; ///< "dns" or "ip" (RFC 8555 section 9.7.7, RFC 8738)
    std::string
        value; ///< A-labels in lower case without trailing dot; an address in the form of RFC 8738 section 3

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
/// Errc::bad_input with reason "notACsr" (not a PKCS#10 request), "notDer" (in another form of BER),
/// "csrSignature" (wrong signature) or "csrSan" (a malformed SAN, such as a NUL octet in a name). A request
/// without SAN is accepted; see require_identifiers.
ACMETOOL_EXPORT Result<Csr> parse_csr(std::string_view text);

/// A request in DER as PEM (RFC 7468 section 7). It is not looked at.
ACMETOOL_EXPORT std::string csr_pem(ByteView der);

/// The identifiers, or bad_input ("csrWithoutSan") if there are none, because the CN is never used as a name.
/// Also refuses a common name that is not among them, and SAN entries of other types (RFC 8555 section 7.4).
ACMETOOL_EXPORT Result<std::vector<Identifier>> require_identifiers(const Csr& csr);

/// An X.509 extension to request.
struct Extension {
    std::string oid; ///< dotted decimal
    bool critical = false;
    Bytes value; ///< extnValue's content, DER
};

struct CsrOptions {
    std::vector<Identifier> identifiers; ///< for the SAN; at least one, unless `extensions` has the SAN
    std::string common_name;             ///< must be one of the names; omitted if longer than 64 characters
    std::optional<std::string> challenge_password; ///< base64 of a channel binding, at most 255 octets
    Bytes subject; ///< a whole Name in DER, used unchanged instead of common_name; may be empty
    std::vector<Extension> extensions; ///< requested after the SAN, unchanged; one may be the SAN itself
    std::string digest;                ///< "sha256", "sha384", "sha512"; empty: determined by the key
};

/// Builds and signs a version 1 request; SAN inside an extensionRequest attribute (RFC 2986, RFC 2985). If
/// `digest` is empty, the key determines it (SHA-256/384/512 by curve, SHA-256 for RSA); Ed25519 has none.
ACMETOOL_EXPORT Result<Csr> build_csr(const Key& key, const CsrOptions& options);

} // namespace acmetool::crypto
