#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "acme/client.h"
#include "acme/fulfil.h"
#include "base/json.h"
#include "base/result.h"

/// Pre-authorization of domains and their subdomains (RFC 8555 section 7.4.1, RFC 9444).
namespace acmetool::acme
{

/// An authorization with its challenge, as the steps exchange it (the `authorization` document).
struct ACMETOOL_EXPORT PreAuthorization {
    Authorization authorization;
    bool subdomains_asked = false;
    std::optional<ChallengeTask> task; ///< absent once the authorization is valid
    std::string challenge_url;
    std::optional<base::TimePoint> obtained; ///< when it was first seen valid

    /// True if subdomains were requested but are not covered.
    bool lacks_subdomains() const { return subdomains_asked && !authorization.subdomain_auth_allowed; }
};

ACMETOOL_EXPORT base::Json to_json(const PreAuthorization& preauth);
/// Reads an `authorization` document of another step. It is data, never instructions: names, record and token
/// are checked, and unknown members are skipped. Errc::bad_input.
ACMETOOL_EXPORT Result<PreAuthorization> parse_preauth(std::string_view json);

/// Requests an authorization for `domain` and, if `subdomains`, for all names below it.
///
/// Sends newAuthz with "subdomainAuthAllowed" (RFC 9444 section 4.2) and returns the authorization as the
/// server stored it, which may already be valid. `domain` is in A-label form. `solver` chooses the challenge;
/// null: dns-01.
///
/// Errors: unavailable ("newAuthzUnsupported": no such URL in the directory, so no request was sent, or the
/// answer is 404 or 405), refused (rejectedIdentifier, unauthorized ...), protocol ("otherIdentifier"),
/// rate_limited.
ACMETOOL_EXPORT Result<PreAuthorization> new_authorization(Client& client, const std::string& domain,
                                                           bool subdomains, const Solver* solver);

/// Responds to the challenge and waits for the server's result or the deadline. Reads the authorization
/// first, because a valid one needs no response.
ACMETOOL_EXPORT Result<void> respond(Client& client, PreAuthorization& preauth);

/// newAuthz, publish, respond, cleanup. Recorded in the state directory, so that the next run continues a
/// killed one and removes its records.
ACMETOOL_EXPORT Result<PreAuthorization> preauthorize(Client& client, const std::string& domain,
                                                      bool subdomains, Solver& solver);

/// The authorization for `domain` in the state directory; sends no request.
ACMETOOL_EXPORT Result<std::optional<PreAuthorization>>
remembered(StateDirectory& state, const std::string& directory, const std::string& domain);

/// An authorization of which the state directory keeps something.
struct KeptAuthorization {
    std::string id;     ///< of the entry
    std::string domain; ///< empty: the entry does not say
    std::optional<PreAuthorization> known;
    std::string unfinished; ///< URL of one that is not valid yet; empty: none
    std::optional<KeptFailure> failure;
};
ACMETOOL_EXPORT std::vector<KeptAuthorization> kept_authorizations(const StateDirectory& state);

/// Keeps a failure that came before preauthorize(), for those who look at the state later. A state that
/// cannot be written is no failure.
ACMETOOL_EXPORT void keep_failed_authorization(StateDirectory& state, const std::string& directory,
                                               const std::string& domain, const Error& error,
                                               base::Context& context);

/// Reads the authorization of a document from the server. `created`: it is new, so replicas may lag.
/// bad_input ("otherIdentifier") if it is for another name than the document.
ACMETOOL_EXPORT Result<Authorization> read_again(Client& client, const PreAuthorization& preauth,
                                                 bool created = false);

/// Sets the authorization's status to "deactivated" (RFC 8555 section 7.5.2). protocol
/// ("authorizationNotDeactivated") if the returned object, which decides rather than the HTTP status, has
/// another status.
ACMETOOL_EXPORT Result<Authorization> deactivate_authorization(Client& client, const Authorization& known);

} // namespace acmetool::acme
