#pragma once

#include <chrono>
#include <string>

namespace acmetool::store
{

/// Which database: a file for one process, or a server for several.
struct Options {
    std::string sqlite = "relay.db"; ///< file; not used if `postgresql` is set
    std::string postgresql;          ///< connection URI or keywords, as libpq reads them, without a password
    std::string password_file;       ///< its first line is the password; empty: PGPASSFILE, or none
    std::string instance;            ///< the name of this process among those on one database
    /// How long the others on the database wait for a word of this process before they take over its work.
    std::chrono::seconds lease{15};

    bool is_shared() const { return !postgresql.empty(); }
    bool operator==(const Options&) const = default;
};

} // namespace acmetool::store
