#pragma once

#include "base/json.h"
#include "base/result.h"
#include "base/time.h"
#include "cli/program.h"

/// Failures of runs that have a document all the same.
namespace acmetool::cli
{

/// The members of the `error` document: code, exit, message, hint, problem, retryAfter and retryAt.
base::Json error_members(const Error& error, int status, base::TimePoint now);

/// The run failed, and its document tells what was done: says the error on stderr as a program that fails
/// does, and has it end with the error's exit status. The members are for the document.
ACMETOOL_EXPORT base::Json end_with(const Error& error, Io& io);

} // namespace acmetool::cli
