#pragma once

#include <string>

#include "base/result.h"

namespace acmetool::store
{

/// Whether files can be created and can grow in the folder of `path`: writes 256 KiB into a temporary file,
/// and removes it. Errors: cannot_create (the folder cannot be written), io (reason "diskFull", and others).
ACMETOOL_EXPORT Result<void> check_room_beside(const std::string& path);

} // namespace acmetool::store
