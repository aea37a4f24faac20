#include "store/members.h"

#include <fmt/core.h>

namespace acmetool::store
{

Result<void> Members::enter(const Member& member, std::chrono::seconds lease)
{
    ACMETOOL_CHECK(database_->write(
        fmt::format("UPDATE members SET lease_until = {} - 1 WHERE instance = $1", database_->seconds()),
        {member.instance}));
    return database_->write(
        fmt::format("INSERT INTO members (run, instance, settings, lease_until) "
                    "VALUES ($1, $2, $3, {} + $4) ON CONFLICT (run) DO UPDATE "
                    "SET settings = excluded.settings, lease_until = excluded.lease_until",
                    database_->seconds()),
        {member.run, member.instance, member.settings, lease.count()});
}

Result<bool> Members::prolong(const Member& member, std::chrono::seconds lease)
{
    ACMETOOL_TRY(rows,
                 database_->execute(fmt::format("UPDATE members SET lease_until = {0} + $2, settings = $3 "
                                                "WHERE run = $1 AND lease_until >= {0} RETURNING 1",
                                                database_->seconds()),
                                    {member.run, lease.count(), member.settings}));
    return !rows.empty();
}

Result<void> Members::leave(std::string_view run)
{
    return database_->write(
        fmt::format("UPDATE members SET lease_until = {} - 1 WHERE run = $1", database_->seconds()), {run});
}

Result<void> Members::forget()
{
    return database_->write(
        fmt::format("DELETE FROM members WHERE lease_until < {} - 3600", database_->seconds()));
}

Result<std::vector<Member>> Members::all()
{
    ACMETOOL_TRY(rows, database_->execute(
                           fmt::format("SELECT instance, run, settings, CASE WHEN lease_until >= {} THEN 1 "
                                       "ELSE 0 END FROM members ORDER BY instance, run",
                                       database_->seconds())));
    std::vector<Member> members;
    members.reserve(rows.size());
    for (const auto& row : rows)
        members.push_back({row[0], row[1], row[2], row[3] == "1"});
    return members;
}

std::string Members::is_alive(const Database& database, std::string_view column)
{
    return fmt::format("EXISTS (SELECT 1 FROM members WHERE members.run = {} AND members.lease_until >= {})",
                       column, database.seconds());
}

} // namespace acmetool::store
