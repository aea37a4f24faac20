#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "crypto/cert.h"

/// The domains that had vouchers for a device (RFC 8995 section 5.8.1).
namespace acmetool::brski
{

struct AuditEvent {
    base::TimePoint date{};
    std::string domain_id;       ///< as written: base64, or something that some MASAs write instead
    std::string nonce;           ///< as in Voucher; empty: a nonceless voucher
    std::string assertion;       ///< "verified", "logged", "proximity"
    std::uint64_t truncated = 0; ///< omitted events that were like this one
    /// SHA-256 of the pinned key, hexadecimal: identifies the domain. Only in the MASA that wrote it; the
    /// format has no member for it.
    std::string key_digest = {};
};

struct AuditLog {
    std::vector<AuditEvent> events; ///< newest first
    std::uint64_t nonced_duplicates = 0;
    std::uint64_t nonceless_duplicates = 0;
    std::uint64_t arbitrary = 0; ///< events omitted for another reason, with unknown content
};

/// Reads a log of at most 1 MiB and 10,000 events. Numbers may be strings, as in figure 18. Errc::protocol,
/// reason "badAuditLog".
ACMETOOL_EXPORT Result<AuditLog> parse_audit_log(std::string_view json);
ACMETOOL_EXPORT std::string to_json(const AuditLog& log);

/// The domainID of a pinned certificate (section 5.8.2), in base64: its subject key identifier, or the
/// SHA-256 of its key if it has none. A label for logs, not a proof, because a certificate can contain any
/// key identifier.
ACMETOOL_EXPORT std::string domain_id(const crypto::Certificate& pinned);

/// What a registrar knows of its own vouchers for the device.
struct OwnVouchers {
    std::string domain_id;        ///< of what the voucher just received pins
    std::string nonce;            ///< of that voucher
    std::set<Bytes> asked_before; ///< octets of the nonces of all other requests that it sent
};

/// What a registrar takes (section 5.8.3).
struct AuditPolicy {
    std::vector<std::string> known_domains; ///< besides the own one, or what a MASA calls it
    bool allow_nonceless = false;
    bool allow_other_domains = false; ///< previous owners that are not in `known_domains`
};

/// Errc::refused, reason "auditLog", where the log tells of what the policy does not take, and where the
/// voucher just received is not in it. An event is the registrar's own if it has its domainID and a nonce
/// that the registrar asked with: another domain can take on the domainID, which is an extension's value. The
/// voucher just received may be there in the name of a known domain, since MASAs differ in what they take for
/// the domainID. The same domainID may be written as base64, base64url or hexadecimal digits.
ACMETOOL_EXPORT Result<void> judge(const AuditLog& log, const AuditPolicy& policy, const OwnVouchers& own);

} // namespace acmetool::brski
