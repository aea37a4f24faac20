#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace acmetool::acme
{

/// A CA and conditions for issuance: the value of a CAA record (RFC 8659 section 4.2) and the content of a
/// dns-persist-01 record.
struct IssueValue {
    std::string issuer; ///< domain name of the CA, in lower case if parsed; empty: no CA
    std::vector<std::pair<std::string, std::string>> parameters; ///< tag (in lower case if parsed), value

    /// The values of the parameters with this tag.
    std::vector<std::string_view> values_of(std::string_view tag) const;
    /// The record's form. Errc::bad_input, reason "badIssueValue", if a value contains octets that the syntax
    /// excludes: spaces, semicolons, control characters, non-ASCII octets.
    ACMETOOL_EXPORT Result<std::string> text() const;
};

/// Parses a value. Nothing if it is malformed; a trailing semicolon is accepted. Pure.
ACMETOOL_EXPORT std::optional<IssueValue> parse_issue_value(std::string_view text);

} // namespace acmetool::acme
