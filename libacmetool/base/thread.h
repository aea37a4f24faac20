#pragma once

#include <functional>
#include <string>
#include <thread>

#include "acmetool/export.h"

namespace acmetool::base
{

/// Starts a thread that takes no signals: they are the main thread's. `name` is shown by ps(1) and gdb, at
/// most 15 characters.
ACMETOOL_EXPORT std::thread start_thread(const std::string& name, std::function<void()> run);

} // namespace acmetool::base
