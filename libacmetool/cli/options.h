#pragma once

#include "acme/client.h"
#include "acme/solver_options.h"
#include "cli/program.h"
#include "dns/query.h"

/// Options that several verbs share.
namespace acmetool::cli
{

/// --account, --state.
ACMETOOL_EXPORT void add_account(Verb& verb, acme::ClientOptions& options);
/// --dns-update, --tsig-key, --hook, --webroot, --standalone, --dns-persist, --manual and what belongs to
/// them.
ACMETOOL_EXPORT void add_solver(Verb& verb, acme::SolverOptions& options);
/// Where to listen, "HOST:PORT"; port 0 is any free one. Errc::usage.
ACMETOOL_EXPORT Result<dns::Endpoint> parse_listen(std::string_view text, std::uint16_t port_if_none = 53);
/// Opens the account with the common options (--ca-file, --timeout) applied.
ACMETOOL_EXPORT Result<std::unique_ptr<acme::Client>> open_client(acme::ClientOptions options, Io& io);
/// --jitter: waits a random time below it, as many hosts with the same timer shall not come at the same
/// second. Errc::interrupted.
ACMETOOL_EXPORT Result<void> wait_for_turn(base::Milliseconds jitter, Io& io);

} // namespace acmetool::cli
