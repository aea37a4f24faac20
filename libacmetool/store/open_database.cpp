#include "store/open_database.h"

#include "store/postgresql.h"
#include "store/sqlite.h"

namespace acmetool::store
{

Result<std::unique_ptr<Database>> open_database(const Options& options, Use use)
{
    if (options.is_shared()) {
        ACMETOOL_TRY(server, Postgresql::open(options, use == Use::owning ? Postgresql::Role::writer
                                                                          : Postgresql::Role::plain));
        return std::unique_ptr<Database>{std::move(server)};
    }
    ACMETOOL_TRY(file, Sqlite::open(options.sqlite));
    return std::unique_ptr<Database>{std::move(file)};
}

} // namespace acmetool::store
