#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

/// The TXT record of dns-persist-01 (draft-ietf-acme-dns-persist): one that stands for long.
namespace acmetool::acme
{

/// What the record says: who may issue for which account, how far, and until when.
struct PersistentRecord {
    std::string issuer;      ///< domain name of the CA, as its challenges list it
    std::string account_uri; ///< URL of the account
    bool wildcard = false;   ///< policy=wildcard: wildcards and subdomains, too
    std::optional<base::TimePoint> until;

    /// The content of the TXT record: issue-value syntax (RFC 8659 section 4.2). Errors: those of
    /// IssueValue::text().
    ACMETOOL_EXPORT Result<std::string> text() const;
};

/// Reads the content of such a record. Nothing where it is malformed, says something twice, or has no issuer
/// or no account. Pure.
ACMETOOL_EXPORT std::optional<PersistentRecord> parse_persistent_record(std::string_view text);

/// "_validation-persist.<domain>".
ACMETOOL_EXPORT std::string persistent_name(std::string_view domain);

/// True if the record `text` lets `account` in at one of `issuers`; names in lower case. `wide` asks for
/// policy=wildcard. `why` gets a sentence where the record is for one of them, but does not hold. Pure.
ACMETOOL_EXPORT bool is_persistent_permission(std::string_view text, const std::vector<std::string>& issuers,
                                              std::string_view account, bool wide, base::TimePoint now,
                                              std::string& why);

} // namespace acmetool::acme
