#pragma once

#include <string_view>

#include "acmetool/export.h"

/// What daemons need of the system.
namespace acmetool::cli
{

/// No core dumps, which would hold keys, and no debugger of the same user (SEC-09).
ACMETOOL_EXPORT void forbid_core_dumps();

/// Tells the service manager, "READY=1"; does nothing where there is none ($NOTIFY_SOCKET, sd_notify(3)).
/// One datagram needs no library.
ACMETOOL_EXPORT void notify_service_manager(std::string_view state);
/// "RELOADING=1" with the moment that sd_notify(3) wants with it.
ACMETOOL_EXPORT void notify_reloading();

} // namespace acmetool::cli
