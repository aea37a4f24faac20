#pragma once

#include <functional>
#include <string>
#include <vector>

#include "acme/authorization.h"
#include "acme/client.h"
#include "acme/solver.h"
#include "base/json.h"
#include "base/result.h"

/// Turns pending authorizations into valid ones (RFC 8555 sections 7.5.1 and 8).
namespace acmetool::acme
{

/// True for tokens of base64url with 22 to 1000 characters (RFC 8555 sections 8.3 and 11.3). Tokens become
/// file names, program arguments and parts of URLs.
ACMETOOL_EXPORT bool is_token(std::string_view text);

/// An account as challenges refer to it.
struct AccountAt {
    std::string thumbprint; ///< of its key (RFC 7638), base64url
    std::string url;
    Directory directory; ///< of its CA
};
ACMETOOL_EXPORT Result<AccountAt> account_at(const crypto::Key& key, const std::string& url,
                                             const Directory& directory);

/// What must be published for `challenge`. Refuses tokens that are not base64url of at least 22 characters
/// (RFC 8555 sections 8.3 and 11.3) with Errc::protocol.
ACMETOOL_EXPORT Result<ChallengeTask> task_for(const Authorization& authorization, const Challenge& challenge,
                                               const AccountAt& account);

/// The challenge of `authorization` that `solver` supports, preferably dns-01; a null solver supports only
/// dns-01. Errors: authorization_needed ("noUsableChallenge", with the offered types).
ACMETOOL_EXPORT Result<Challenge> choose_challenge(const Authorization& authorization, const Solver* solver);

/// Asks the server to validate the challenge: a POST of {} (RFC 8555 section 7.5.1).
ACMETOOL_EXPORT Result<void> respond(Client& client, const Authorization& authorization,
                                     const Challenge& challenge);

/// Records what will be published, so that the next run can remove the records of a killed one.
using Journal = std::function<Result<void>(const std::vector<ChallengeTask>&)>;

/// Publishes, responds, waits and cleans up for all `authorizations` that are not valid yet, in parallel.
///
/// Cleanup always runs. Authorizations are returned in the same order, even those still pending at the
/// client's deadline. Errors: refused (validation failed; all failures in one message), the solver's.
ACMETOOL_EXPORT Result<std::vector<Authorization>>
fulfil(Client& client, std::vector<Authorization> authorizations, Solver& solver, const Journal& journal);

ACMETOOL_EXPORT base::Json to_json(const ChallengeTask& task);
/// Reads the output of to_json() and checks that record and identifier belong together. Errc::bad_input.
ACMETOOL_EXPORT Result<ChallengeTask> parse_task(const base::Json& object);
/// Refuses a task from a document if `solver` does not support it: bad_input, reason "otherSolver".
ACMETOOL_EXPORT Result<void> check_solver(const Solver& solver, const ChallengeTask& task);

/// Removes the records that a killed run published according to its entry.
ACMETOOL_EXPORT void clean_up_after_crash(const base::Json& entry, Solver& solver, base::Context& context);

} // namespace acmetool::acme
