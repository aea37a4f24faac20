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
    std::string account_uri; ///< URL of the account
    bool wildcard = false;   ///< policy=wildcard: also wildcards and subdomains
    std::optional<base::TimePoint> until;

    /// The content of the TXT record: issue-value syntax (RFC 8659 section 4.2). Errors: those of
    /// IssueValue::text().
    ACMETOOL_EXPORT Result<std::string> text() const;
};

/// Parses the content of such a record. Nothing if it is malformed, has a duplicate, or has no issuer or no
/// account. Pure.
ACMETOOL_EXPORT std::optional<PersistentRecord> parse_persistent_record(std::string_view text);

/// "_validation-persist.<domain>".
ACMETOOL_EXPORT std::string persistent_name(std::string_view domain);

/// True if the record `text` authorizes `account` at one of `issuers`, given in lower case. `wide` requires
/// policy=wildcard. If the record is for one of them but does not authorize the account, sets `why` to the
/// reason. Pure.
ACMETOOL_EXPORT bool is_persistent_permission(std::string_view text, const std::vector<std::string>& issuers,
                                              std::string_view account, bool wide, base::TimePoint now,
                                              std::string& why);

} // namespace acmetool::acme
