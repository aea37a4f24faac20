#pragma once

#include <string_view>

#include "acmetool/export.h"

/// System functions for daemons; the first is for every program.
namespace acmetool::cli
{

/// Disables core dumps, which would contain keys, and debuggers of the same user (SEC-09, SEC-34). Our own
/// use of /proc/self stays possible, and programs that we run have no such limit on debuggers.
ACMETOOL_EXPORT void forbid_core_dumps();

/// Notifies the service manager, "READY=1"; does nothing if there is none ($NOTIFY_SOCKET, sd_notify(3)). One
/// datagram, so no library is needed.
ACMETOOL_EXPORT void notify_service_manager(std::string_view state);
/// "RELOADING=1" with the time that sd_notify(3) requires.
ACMETOOL_EXPORT void notify_reloading();

} // namespace acmetool::cli
