#pragma once

#include "cli/program.h"
#include "teap-enroll/options.h"

namespace acmetool::cli
{

/// Holds --count conversations, --parallel of them at a time, and prints a `load` document. Where one failed,
/// the program ends with the status of the first that did. Errors: usage, config, io.
Result<void> teap_load(const TeapOptions& options, Io& io);

} // namespace acmetool::cli
