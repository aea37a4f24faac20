#pragma once

#include "base/error.h"

namespace acmetool::cli
{

inline constexpr int kExitDeferred = 75;

/// The exit status for a failure (sysexits, and two of our own); acmetool-exit-codes(7).
ACMETOOL_EXPORT int exit_code(Errc code);

} // namespace acmetool::cli
