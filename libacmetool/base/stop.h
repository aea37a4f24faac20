#pragma once

#include "acmetool/export.h"

/// The request to stop that came as a signal, for waits that have no Context: a library that reads a file on
/// behalf of another call. Everything else asks Context::interrupted().
namespace acmetool::base
{

/// The number of the signal that asked this process to stop; 0: none.
ACMETOOL_EXPORT int stop_signal();

/// Called by the handler of such a signal: async-signal-safe.
ACMETOOL_EXPORT void note_stop_signal(int number);

} // namespace acmetool::base
