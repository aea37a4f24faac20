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

/// Which domain owns which device: serial number to domainID (RFC 8995 section 5.8.2).
using OwnerList = std::map<std::string, std::string, std::less<>>;

/// Parses lines "serial,domainID"; '#' begins a comment. Errc::config, reason "badOwners".
ACMETOOL_EXPORT Result<OwnerList> parse_owners(std::string_view text, const std::string& file);

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
