#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "store/file_id.h"

struct sqlite3;
struct sqlite3_stmt;

namespace acmetool::store
{

/// One SQLite database: write-ahead log, synchronous=FULL, so that a committed change survives a power cut.
/// Used by one thread at a time; the caller locks.
///
/// It stays the file that its path led to when it was opened: nothing is read or written in a transaction
/// once another file, or none, is there, since no other program would see it (SEC-29).
class ACMETOOL_EXPORT Sqlite
{
public:
    using Row = std::vector<std::string>; ///< columns as text; NULL is empty

    /// A parameter: text and octets are borrowed while the statement runs.
    using Value = std::variant<std::int64_t, std::string_view, ByteView>;

    /// Opens or makes the file (mode 0600). Errors: io.
    static Result<Sqlite> open(const std::string& path);

    /// Runs one statement with its parameters bound as text, and returns all rows. Errors: io.
    Result<std::vector<Row>> run(std::string_view sql, const std::vector<std::string_view>& parameters = {});

    /// The same with typed parameters, by a statement that is prepared once: for texts of which there are
    /// few. Octets come back in a Row as they are, numbers as decimal text.
    Result<std::vector<Row>> execute(std::string_view sql, const std::vector<Value>& parameters = {});

    /// Errors: io; reason "databaseMoved", as check_place().
    Result<void> begin();
    Result<void> commit();
    /// Whether the path still leads to the file that is open, and that and its write-ahead log are still
    /// where they were; for those who read without a transaction. Costs three calls of stat(2). Errors: io,
    /// reason "databaseMoved".
    Result<void> check_place() const;
    /// Of the file that is open.
    const FileId& id() const { return id_; }
    void rollback() noexcept;
    /// Rows inserted, changed and deleted since it was opened.
    int total_changes() const noexcept;

private:
    struct Close {
        void operator()(sqlite3* database) const noexcept;
    };
    struct Finalize {
        void operator()(sqlite3_stmt* statement) const noexcept;
    };
    using Statement = std::unique_ptr<sqlite3_stmt, Finalize>;

    Result<Statement> prepare(std::string_view sql);
    Result<std::vector<Row>> step(sqlite3_stmt* statement, std::string_view sql);

    std::string path_;
    std::string place_; ///< the file itself, symbolic links resolved
    std::string log_;   ///< the write-ahead log, which is there as long as the database is open
    FileId id_;
    std::optional<FileId> log_id_; ///< nothing on a file system that cannot have such a log
    std::unique_ptr<sqlite3, Close> database_;
    std::map<std::string, Statement, std::less<>> prepared_; ///< goes before the database
};

} // namespace acmetool::store
