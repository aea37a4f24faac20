#pragma once

#include <functional>
#include <string>
#include <vector>

#include "acme/authorization.h"
#include "acme/client.h"
#include "acme/solver.h"
#include "base/json.h"
#include "base/result.h"

/// From pending authorizations to valid ones (RFC 8555 sections 7.5.1 and 8).
namespace acmetool::acme
{

/// True for tokens as RFC 8555 sections 8.3 and 11.3 have them: base64url of 22 to 1000 characters. They
/// become file names, arguments of programs and parts of URLs.
ACMETOOL_EXPORT bool is_token(std::string_view text);

/// What has to be published for `challenge`. Refuses tokens that are no base64url of 22 characters or more
/// (RFC 8555 sections 8.3 and 11.3) with Errc::protocol. dns-persist-01 needs the account's URL.
ACMETOOL_EXPORT Result<ChallengeTask> task_for(const Authorization& authorization, const Challenge& challenge,
                                               const crypto::Key& account_key,
                                               const std::string& account_url = {});

/// The challenge of `authorization` that `solver` takes, dns-01 before others; a null solver takes dns-01
/// only. authorization_needed with reason "noUsableChallenge" listing what was offered.
ACMETOOL_EXPORT Result<Challenge> choose_challenge(const Authorization& authorization, const Solver* solver);

/// Tells the server that the challenge is fulfilled: a POST of {} (RFC 8555 section 7.5.1).
ACMETOOL_EXPORT Result<void> respond(Client& client, const Authorization& authorization,
                                     const Challenge& challenge);

/// Remembers what is published, before it is, so that a killed run's records can be removed by the next one.
using Journal = std::function<Result<void>(const std::vector<ChallengeTask>&)>;

/// Publishes, responds, waits and cleans up for all `authorizations` that are not valid yet, together.
///
/// Cleanup runs in every case. Authorizations come back in the same order; one that is still pending at the
/// client's deadline is returned so. Errors: refused (validation failed; all failures in one message), the
/// solver's.
ACMETOOL_EXPORT Result<std::vector<Authorization>>
fulfil(Client& client, std::vector<Authorization> authorizations, Solver& solver, const Journal& journal);

ACMETOOL_EXPORT base::Json to_json(const ChallengeTask& task);
/// Reads what to_json() wrote; checks that record and identifier belong together. bad_input.
ACMETOOL_EXPORT Result<ChallengeTask> parse_task(const base::Json& object);
/// Refuses a task of a document that `solver` is not made for: bad_input, reason "otherSolver".
ACMETOOL_EXPORT Result<void> check_solver(const Solver& solver, const ChallengeTask& task);

/// Removes the records that an entry says a killed run published.
ACMETOOL_EXPORT void clean_up_after_crash(const base::Json& entry, Solver& solver, base::Context& context);

} // namespace acmetool::acme
