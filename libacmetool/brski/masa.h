#pragma once

#include <chrono>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "brski/audit_log.h"
#include "brski/checks.h"
#include "brski/envelope.h"

/// The decisions of a manufacturer authorized signing authority, without sockets and database.
namespace acmetool::brski
{

/// The owners of devices: serial number to the SHA-256 of the owner's key (SubjectPublicKeyInfo) or
/// certificate, in lower-case hexadecimal. Not the domainID, because anyone can create a certificate with the
/// domainID of another (RFC 8995 section 11.2).
using OwnerList = std::map<std::string, std::string, std::less<>>;

/// Parses lines "serial,OWNER" (base::CsvList). OWNER is such a digest, with or without colons, or the name
/// of a PEM file with the owner's certificate, of which only the key is used, relative to the folder of
/// `file`. Errc::config, reason "badOwners"; for a domainID, the hint explains how to get the digest.
ACMETOOL_EXPORT Result<OwnerList> parse_owners(std::string_view text, const std::string& file);

/// True if `owner`, as in OwnerList, is the holder of `certificate`.
ACMETOOL_EXPORT bool is_owner(std::string_view owner, const crypto::Certificate& certificate);

/// SHA-256 of the certificate's key, lower-case hexadecimal.
ACMETOOL_EXPORT std::string key_digest(const crypto::Certificate& certificate);

enum class Pin {
    registrar, ///< the registrar's certificate
    domain,    ///< the topmost one that the registrar sent (section 5.5.2)
};

struct MasaPolicy {
    MasaKnowledge knowledge; ///< `now` is set for each request
    OwnerList owners;
    bool owners_only = false; ///< devices not in the list get no voucher
    Pin pin = Pin::domain;
    std::chrono::seconds nonceless_lifetime{std::chrono::hours{24}};
};

/// The content for the voucher and the log.
struct Grant {
    Voucher voucher;
    AuditEvent event;
};

/// Decides on a registrar's voucher-request.
///
/// Errors carry the HTTP status in http_status_of: refused with the name of the failed check; "owner" if the
/// owner list assigns the device to another owner, which takes precedence over any prior-signed request
/// (SEC-11); "unknownDevice" if it is not listed and `owners_only` is set.
ACMETOOL_EXPORT Result<Grant> decide(const Envelope& envelope, const MasaPolicy& policy, base::TimePoint now);

/// The HTTP status for an error of decide() or parse_envelope().
/// RFC 8995 section 5.6: 403 bad signature or stale, 404 unknown device, 400 malformed.
ACMETOOL_EXPORT int http_status_of(const Error& error);

} // namespace acmetool::brski
