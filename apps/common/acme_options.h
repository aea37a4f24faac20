#pragma once

#include <memory>

#include "acme/client.h"
#include "acme/solver.h"
#include "acme/solver_options.h"
#include "cli/program.h"

/// Shared by the ACME clients: options, and the account that the options select.
namespace acmetool::cli
{

/// --account, --state.
void add_account(Verb& verb, acme::ClientOptions& options);
/// --dns-update, --tsig-key, --hook, --webroot, --standalone, --dns-persist, --manual and the options that
/// modify them.
void add_solver(Verb& verb, acme::SolverOptions& options);
/// Errc::usage ("badDirectory") unless `url` is an https URL.
Result<void> check_directory(const std::string& url);
/// The solver that the options select; null without one. Warns if others can read the TSIG key.
Result<std::unique_ptr<acme::Solver>> make_solver(const acme::SolverOptions& options, Io& io);
/// Opens the account with the common options (--ca-file, --timeout) applied.
Result<std::unique_ptr<acme::Client>> open_client(acme::ClientOptions options, Io& io);

} // namespace acmetool::cli
