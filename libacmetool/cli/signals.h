#pragma once

#include "acmetool/export.h"

/// What signals ask of a program.
namespace acmetool::cli
{

/// Ignores SIGPIPE, and makes SIGINT and SIGTERM ask the program to stop; a second one kills.
void watch_signals();
/// The signal that asked to stop, 0 if none did.
int caught_signal();
/// From now on SIGHUP asks for a reload.
ACMETOOL_EXPORT void watch_hangup();

enum class SignalRequest { stop, reload };
/// Waits until a signal asks for something, or takes what was asked since the last call. After the first stop
/// it always returns stop. SIGHUP that comes several times before this is one reload. For the main thread.
ACMETOOL_EXPORT SignalRequest next_signal();

} // namespace acmetool::cli
