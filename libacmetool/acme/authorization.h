#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "acme/problem.h"
#include "base/result.h"
#include "base/time.h"
#include "crypto/csr.h"

namespace acmetool::acme
{

/// A challenge of an authorization (RFC 8555 section 7.1.5).
struct Challenge {
    std::string type;
    std::string url;
    std::string status;
    std::string token;                            ///< empty for types without one
    std::vector<std::string> issuer_domain_names; ///< dns-persist-01: names of the CA in its records
    std::string account_uri; ///< dns-persist-01 of draft -01: the accounturi of its records; may be empty
    std::optional<Problem>
        error; ///< cause of the last failure; the challenge may still succeed (erratum 5732)
};

/// An authorization object (RFC 8555 section 7.1.4).
struct Authorization {
    std::string url;
    std::string identifier; ///< of type dns, without "*."
    std::string status;     ///< pending, valid, invalid, deactivated, expired, revoked, or an unknown word
    bool wildcard = false;
    bool subdomain_auth_allowed = false; ///< top level of the object; absent is false (RFC 9444 section 4.1)
    std::optional<base::TimePoint> expires;
    std::vector<Challenge> challenges; ///< those with type and url; may be empty

    const Challenge* find_challenge(std::string_view type) const;
    /// The cause if it is not valid: the errors of its challenges, or its status.
    std::string why_not_valid() const;
};

/// The identifiers for which an authorization was requested. The server's answer is compared with them before
/// a solver, a file, DNS or a log receives any of it.
struct AuthorizationScope {
    std::vector<crypto::Identifier> identifiers;
    bool ancestors = false; ///< parents of the names also match (RFC 9444 section 4.3)
};
/// For an authorization in an order for `identifiers`.
ACMETOOL_EXPORT AuthorizationScope scope_of_order(std::vector<crypto::Identifier> identifiers);
/// For an authorization of `name` only, from newAuthz or already known.
ACMETOOL_EXPORT AuthorizationScope scope_of_name(std::string name);

/// Parses an authorization, which must be for an identifier in `scope`: one of them, the base of a wildcard,
/// or a parent. All authorizations are read by this function.
///
/// Unknown fields are skipped; unknown challenge types and statuses are accepted if they are words.
/// Errc::protocol: "badAuthorization" if identifier or status are missing or malformed, "otherIdentifier" if
/// it is for another identifier.
ACMETOOL_EXPORT Result<Authorization> parse_authorization(std::string_view json, std::string_view url,
                                                          const AuthorizationScope& scope);

} // namespace acmetool::acme
