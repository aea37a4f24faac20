#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "crypto/cert.h"

/// Determines which certificates of a /cacerts reply are trusted (RFC 7030 sections 4.1.1 and 4.1.3).
namespace acmetool::est
{

/// A SHA-256 or SHA-512 of a whole certificate, obtained out of band.
struct Fingerprint {
    std::string algorithm; ///< "sha256" or "sha512"
    Bytes digest;
};

/// Parses "sha256:HEX" or "sha512:HEX"; accepts colons and spaces between the octets, and either case.
/// Errc::usage, reason "badFingerprint".
ACMETOOL_EXPORT Result<Fingerprint> parse_fingerprint(std::string_view text);
ACMETOOL_EXPORT bool matches(const Fingerprint& fingerprint, const crypto::Certificate& certificate);

/// The sorted certificates of a reply.
struct CaCertificates {
    std::vector<crypto::Certificate>
        trusted; ///< anchor first, then those that validate; in the reply's order
    std::vector<crypto::Certificate> rejected; ///< no path leads from them to the anchor
};

/// In both, `clock` is false on a host that has none (crypto::PathPolicy::clock).
///
/// Sorts a reply received over an unauthenticated connection: the certificate with the fingerprint is the
/// trust anchor, all others need a path to it. Errc::refused, reason "fingerprint", if none has it.
ACMETOOL_EXPORT Result<CaCertificates> sort_out(const std::vector<crypto::Certificate>& received,
                                                const Fingerprint& fingerprint, bool clock = true);

/// Sorts a reply of an authorized server. Trust anchors are the existing explicit anchors and the most recent
/// self-signed certificate of each CA (with the latest notAfter, section 4.1.3); if none is self-signed, the
/// certificates not issued by another one of the reply. Errc::protocol, reason "noCaCertificate", if there is
/// no CA certificate.
ACMETOOL_EXPORT Result<CaCertificates> sort_out(const std::vector<crypto::Certificate>& received,
                                                const std::vector<crypto::Certificate>& explicit_anchors,
                                                bool clock = true);

/// The first of `certificates` and its issuers among the others and `cas`, without the self-signed one.
ACMETOOL_EXPORT std::vector<crypto::Certificate>
chain_of(const std::vector<crypto::Certificate>& certificates, const std::vector<crypto::Certificate>& cas);

} // namespace acmetool::est
