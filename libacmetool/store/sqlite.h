#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

struct sqlite3;

namespace acmetool::store
{

/// One SQLite database: write-ahead log, synchronous=FULL, so that a committed change survives a power cut.
/// Used by one thread at a time; the caller locks.
class ACMETOOL_EXPORT Sqlite
{
public:
    using Row = std::vector<std::string>; ///< columns as text; NULL is empty

    /// Opens or makes the file (mode 0600). Errors: io.
    static Result<Sqlite> open(const std::string& path);

    /// Runs one statement with its parameters bound as text, and returns all rows. Errors: io.
    Result<std::vector<Row>> run(std::string_view sql, const std::vector<std::string_view>& parameters = {});

    Result<void> begin();
    Result<void> commit();
    void rollback() noexcept;

private:
    struct Close {
        void operator()(sqlite3* database) const noexcept;
    };
    std::unique_ptr<sqlite3, Close> database_;
};

} // namespace acmetool::store
