#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "acme/problem.h"
#include "base/result.h"
#include "base/time.h"

namespace acmetool::acme
{

/// A challenge of an authorization (RFC 8555 section 7.1.5).
struct Challenge {
    std::string type;
    std::string url;
    std::string status;
    std::string token;                            ///< empty for types that have none
    std::vector<std::string> issuer_domain_names; ///< dns-persist-01: names of the CA in its records
    std::optional<Problem>
        error; ///< why the last attempt failed; the challenge may still succeed (erratum 5732)
};

/// An authorization object (RFC 8555 section 7.1.4).
struct Authorization {
    std::string url;
    std::string identifier; ///< of type dns, without "*."
    std::string status; ///< pending, valid, invalid, deactivated, expired, revoked, or a word of the future
    bool wildcard = false;
    bool subdomain_auth_allowed = false; ///< top level of the object; absent is false (RFC 9444 section 4.1)
    std::optional<base::TimePoint> expires;
    std::vector<Challenge> challenges; ///< those with type and url; may be empty

    const Challenge* find_challenge(std::string_view type) const;
    /// Why it is not valid: the errors of its challenges, or its status.
    std::string why_not_valid() const;
};

/// Parses an authorization. Unknown fields, challenge types and statuses are taken; Errc::protocol where
/// identifier or status are missing.
ACMETOOL_EXPORT Result<Authorization> parse_authorization(std::string_view json, std::string_view url);

} // namespace acmetool::acme
