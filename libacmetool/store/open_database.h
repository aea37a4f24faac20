#pragma once

#include <memory>

#include "base/result.h"
#include "store/database.h"
#include "store/options.h"

namespace acmetool::store
{

enum class Use {
    reading, ///< or a change now and then, beside the process that owns the database
    owning,  ///< by the process whose Options::instance it is
};

/// Opens the database; a file is created if it is absent. Errors: io; config; unavailable, reason
/// "instanceInUse".
Result<std::unique_ptr<Database>> open_database(const Options& options, Use use = Use::reading);

} // namespace acmetool::store
