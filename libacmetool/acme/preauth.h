#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "acme/client.h"
#include "acme/fulfil.h"
#include "base/json.h"
#include "base/result.h"

/// Pre-authorization of domains, subdomains included (RFC 8555 section 7.4.1, RFC 9444).
namespace acmetool::acme
{

/// An authorization and what fulfils it, as it passes through the pipe (the `authorization` document).
struct ACMETOOL_EXPORT PreAuthorization {
    Authorization authorization;
    bool subdomains_asked = false;
    std::optional<ChallengeTask> task; ///< absent once the authorization is valid
    std::string challenge_url;
    std::optional<base::TimePoint> obtained; ///< when it was first seen valid

    /// True if it was asked to cover subdomains and does not.
    bool lacks_subdomains() const { return subdomains_asked && !authorization.subdomain_auth_allowed; }
};

ACMETOOL_EXPORT base::Json to_json(const PreAuthorization& preauth);
/// Reads an `authorization` document of another step. It is data, never instructions: names, record and token
/// are checked, unknown members skipped. bad_input.
ACMETOOL_EXPORT Result<PreAuthorization> parse_preauth(std::string_view json);

/// Asks the server to authorize `domain` and, if `subdomains`, everything below it.
///
/// Sends newAuthz with "subdomainAuthAllowed" (RFC 9444 section 4.2) and returns the authorization as the
/// server stored it, which may be valid already. `domain` is in A-label form. `solver` chooses the challenge;
/// null: dns-01.
///
/// Errors: unavailable ("newAuthzUnsupported": no such URL in the directory, no request was made, or it
/// answers 404 or 405), refused (rejectedIdentifier, unauthorized ...), protocol ("otherIdentifier"),
/// rate_limited.
ACMETOOL_EXPORT Result<PreAuthorization> new_authorization(Client& client, const std::string& domain,
                                                           bool subdomains, const Solver* solver);

/// Answers the challenge and waits for the server's verdict, or the deadline. Reads the authorization first:
/// one that is valid already needs no answer.
ACMETOOL_EXPORT Result<void> respond(Client& client, PreAuthorization& preauth);

/// newAuthz, publish, respond, cleanup; remembered in the state directory, so that the next run continues a
/// killed one and removes its records.
ACMETOOL_EXPORT Result<PreAuthorization> preauthorize(Client& client, const std::string& domain,
                                                      bool subdomains, Solver& solver);

/// What the state directory knows of an authorization for `domain`, without a request.
ACMETOOL_EXPORT Result<std::optional<PreAuthorization>>
remembered(StateDirectory& state, const std::string& directory, const std::string& domain);

/// The authorization that a document names, as the server has it now; `created`: a short while ago. bad_input
/// ("otherIdentifier") where it is for another name than the document's.
ACMETOOL_EXPORT Result<Authorization> read_again(Client& client, const PreAuthorization& preauth,
                                                 bool created = false);

/// Sets the authorization's status to "deactivated" (RFC 8555 section 7.5.2). protocol
/// ("authorizationNotDeactivated") where its object, which counts and not the HTTP status, has another one.
ACMETOOL_EXPORT Result<Authorization> deactivate_authorization(Client& client, const Authorization& known);

} // namespace acmetool::acme
