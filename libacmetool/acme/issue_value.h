#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace acmetool::acme
{

/// Who may issue and under which conditions: the value of a CAA record (RFC 8659 section 4.2), and the
/// content of a dns-persist-01 one.
struct IssueValue {
    std::string issuer; ///< domain name of the CA; read ones in lower case; empty: nobody
    std::vector<std::pair<std::string, std::string>> parameters; ///< tag (read ones in lower case), value

    /// What each parameter of this tag says.
    std::vector<std::string_view> values_of(std::string_view tag) const;
    /// In the form of the record. Errc::bad_input, reason "badIssueValue", where a value has octets that the
    /// syntax has no place for: blanks, semicolons, control characters, other than ASCII.
    ACMETOOL_EXPORT Result<std::string> text() const;
};

/// Reads one. Nothing where it is malformed; a semicolon at the end is taken. Pure.
ACMETOOL_EXPORT std::optional<IssueValue> parse_issue_value(std::string_view text);

} // namespace acmetool::acme
