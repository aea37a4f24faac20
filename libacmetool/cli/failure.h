#pragma once

#include "base/json.h"
#include "base/result.h"
#include "base/time.h"
#include "cli/program.h"

/// Failures of runs that still print a document.
namespace acmetool::cli
{

/// The members of the `error` document: code, exit, message, hint, problem, retryAfter and retryAt.
base::Json error_members(const Error& error, int status, base::TimePoint now);

/// For a failed run that still prints its document: prints the error to stderr like any failure and makes the
/// program exit with the error's status. Returns the members for the document.
ACMETOOL_EXPORT base::Json end_with(const Error& error, Io& io);

} // namespace acmetool::cli
