#pragma once

#include "base/error.h"

namespace acmetool::cli
{

inline constexpr int kExitDeferred = 75;

/// The exit status for a failure (sysexits, and two additional ones); acmetool-exit-codes(7).
ACMETOOL_EXPORT int exit_code(Errc code);

} // namespace acmetool::cli
