#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

/// The persistent TXT record of dns-persist-01 (draft-ietf-acme-dns-persist).
namespace acmetool::acme
{

/// The content of the record: CA, account, scope and end.
struct PersistentRecord {
    std::string issuer;      ///< domain name of the CA, as its challenges list it
    std::string account_uri; ///< URL of the account, or hashed_account_uri()
    bool wildcard = false;   ///< policy=wildcard: also wildcards and subdomains
    std::optional<base::TimePoint> until;

    /// The content of the TXT record: issue-value syntax (RFC 8659 section 4.2). Errors: those of
    /// IssueValue::text().
    ACMETOOL_EXPORT Result<std::string> text() const;
};

/// Parses the content of such a record. Nothing if it is malformed, has a duplicate, has no issuer or no
/// account, or a persistUntil that is no number. Pure.
ACMETOOL_EXPORT std::optional<PersistentRecord> parse_persistent_record(std::string_view text);

/// "_validation-persist.<domain>".
ACMETOOL_EXPORT std::string persistent_name(std::string_view domain);

/// The accounturi of CAs whose directory has meta.accountHashPrefix, "<prefix>sha-256/<digest>": SHA-256 over
/// the length of `domain` as one octet, `domain`, `thumbprint` (of the account's key, RFC 7638, base64url)
/// and `account_url` (draft-ietf-acme-dns-persist-02 section "Validation Record Format"). `domain` is that of
/// the record, or kAnyDomain.
ACMETOOL_EXPORT std::string hashed_account_uri(std::string_view prefix, std::string_view domain,
                                               std::string_view thumbprint, std::string_view account_url);
inline constexpr std::string_view kAnyDomain = "*";

/// What a record means for an account at a CA.
struct PersistentVerdict {
    bool granted = false;
    bool malformed = false; ///< not granted, because it cannot be read
    std::string why;        ///< if not granted
    PersistentRecord record;
};

/// Judges the record `text` for a CA with the names `issuers`, given in lower case, and an account that has
/// each of the URIs `accounts`. `wide` requires policy=wildcard. Nothing if the record is for another CA.
/// Pure.
ACMETOOL_EXPORT std::optional<PersistentVerdict>
judge_persistent_record(std::string_view text, const std::vector<std::string>& issuers,
                        const std::vector<std::string>& accounts, bool wide, base::TimePoint now);

} // namespace acmetool::acme
