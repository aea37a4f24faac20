#pragma once

#include "cli/program.h"
#include "teap-enroll/options.h"

namespace acmetool::cli
{

/// Runs --count conversations, --parallel of them at a time, and prints a `load` document. If one failed, the
/// program exits with the status of the first failure. Errors: usage, config, io.
Result<void> teap_load(const TeapOptions& options, Io& io);

} // namespace acmetool::cli
