#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/database.h"

namespace acmetool::store
{

/// A process on a shared database. Each start of it is another run.
struct Member {
    std::string instance; ///< Options::instance
    std::string run;      ///< what it owns has this name
    std::string settings; ///< digest of what all have to have in common
    bool is_alive = false;
};

/// The processes on a shared database. Each is believed to be alive until its lease ends, by the database's
/// clock: then others take over what it owns. A view of the database that costs nothing to create. All errors
/// are io.
class Members
{
public:
    /// Of the table.
    static constexpr std::string_view kTable =
        "CREATE TABLE IF NOT EXISTS members (run TEXT PRIMARY KEY, instance TEXT NOT NULL, settings TEXT NOT "
        "NULL, lease_until BIGINT NOT NULL) WITHOUT ROWID";

    explicit Members(Database& database) : database_(&database) {}

    /// Begins the lease of a run, and ends those of earlier runs of the instance, of which there is one at a
    /// time.
    Result<void> enter(const Member& member, std::chrono::seconds lease);
    /// Prolongs the lease. False if it had ended: others may own what this run owned.
    Result<bool> prolong(const Member& member, std::chrono::seconds lease);
    /// Ends the lease.
    Result<void> leave(std::string_view run);
    /// Removes runs whose lease ended an hour ago. What they own is theirs as before: a run that is not known
    /// is not alive.
    Result<void> forget();
    Result<std::vector<Member>> all();

    /// SQL: true if `column` holds a run that is alive.
    static std::string is_alive(const Database& database, std::string_view column);

private:
    Database* database_;
};

} // namespace acmetool::store
