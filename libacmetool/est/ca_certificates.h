#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "crypto/cert.h"

/// Which of the certificates in a /cacerts reply are to be believed (RFC 7030 sections 4.1.1 and 4.1.3).
namespace acmetool::est
{

/// A SHA-256 or SHA-512 over a whole certificate, told by other means (out of band).
struct Fingerprint {
    std::string algorithm; ///< "sha256" or "sha512"
    Bytes digest;
};

/// Parses "sha256:HEX" or "sha512:HEX"; colons and blanks between the octets, and either case, are taken.
/// Errc::usage, reason "badFingerprint".
ACMETOOL_EXPORT Result<Fingerprint> parse_fingerprint(std::string_view text);
ACMETOOL_EXPORT bool matches(const Fingerprint& fingerprint, const crypto::Certificate& certificate);

/// The certificates of a reply, sorted out.
struct CaCertificates {
    std::vector<crypto::Certificate> trusted;  ///< anchor first, then what validates; in the reply's order
    std::vector<crypto::Certificate> rejected; ///< nothing leads from them to the anchor
};

/// Sorts a reply that came over an unauthenticated connection: the certificate with the fingerprint is
/// trusted by itself, all others by path validation. Errc::refused, reason "fingerprint", where there is
/// none with it.
ACMETOOL_EXPORT Result<CaCertificates> sort_out(const std::vector<crypto::Certificate>& received,
                                                const Fingerprint& fingerprint);

/// Sorts a reply of an authorized server: what was an explicit anchor already, and the most recent
/// self-signed certificate (the one with the latest notAfter, section 4.1.3), are trusted by themselves; if
/// none is self-signed, whatever no other certificate of the reply has issued. Errc::protocol, reason
/// "noCaCertificate", where no certificate is a CA's.
ACMETOOL_EXPORT Result<CaCertificates> sort_out(const std::vector<crypto::Certificate>& received,
                                                const std::vector<crypto::Certificate>& explicit_anchors);

/// The first of `certificates` and its issuers among the others and `cas`, without the self-signed one.
ACMETOOL_EXPORT std::vector<crypto::Certificate>
chain_of(const std::vector<crypto::Certificate>& certificates, const std::vector<crypto::Certificate>& cas);

} // namespace acmetool::est
