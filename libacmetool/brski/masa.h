#pragma once

#include <chrono>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "brski/audit_log.h"
#include "brski/checks.h"
#include "brski/envelope.h"

/// What a manufacturer authorized signing authority decides; no sockets and no database.
namespace acmetool::brski
{

/// Which domain owns which device: serial number to the SHA-256 of the owner's key (SubjectPublicKeyInfo) or
/// of his certificate, in lower-case hexadecimal. No domainID: anybody can make a certificate with that of
/// another (RFC 8995 section 11.2).
using OwnerList = std::map<std::string, std::string, std::less<>>;

/// Parses lines "serial,OWNER"; '#' begins a comment. OWNER is such a digest, with or without colons, or the
/// name of a PEM file with the owner's certificate, whose key counts; it is found from the folder of `file`.
/// Errc::config, reason "badOwners"; a domainID is refused with the way to the digest.
ACMETOOL_EXPORT Result<OwnerList> parse_owners(std::string_view text, const std::string& file);

/// True if `owner`, as in OwnerList, is the holder of `certificate`.
ACMETOOL_EXPORT bool is_owner(std::string_view owner, const crypto::Certificate& certificate);

/// SHA-256 of the certificate's key, lower-case hexadecimal.
ACMETOOL_EXPORT std::string key_digest(const crypto::Certificate& certificate);

enum class Pin {
    registrar, ///< the registrar's own certificate
    domain,    ///< the one farthest up in what the registrar sent (section 5.5.2)
};

struct MasaPolicy {
    MasaKnowledge knowledge; ///< `now` is set for each request
    OwnerList owners;
    bool owners_only = false; ///< devices that are not in the list get no voucher
    Pin pin = Pin::domain;
    std::chrono::seconds nonceless_lifetime{std::chrono::hours{24}};
};

/// What goes into the voucher and into the log.
struct Grant {
    Voucher voucher;
    AuditEvent event;
};

/// Decides on a registrar's voucher-request.
///
/// Errors carry the HTTP status in http_status_of: refused with the name of the failed check, "owner" where
/// the owner list gives the device to somebody else, which counts more than any prior-signed request
/// (SEC-11), "unknownDevice" where `owners_only` does not know it.
ACMETOOL_EXPORT Result<Grant> decide(const Envelope& envelope, MasaPolicy policy, base::TimePoint now);

/// The HTTP status for an error of decide() or parse_envelope().
/// RFC 8995 section 5.6: 403 bad signature or stale, 404 unknown device, 400 not to be read.
ACMETOOL_EXPORT int http_status_of(const Error& error);

} // namespace acmetool::brski
