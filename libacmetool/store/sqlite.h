#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/database.h"
#include "store/file_id.h"

struct sqlite3;
struct sqlite3_stmt;

namespace acmetool::store
{

/// One SQLite database: write-ahead log, synchronous=FULL, so that a committed change survives a power
/// failure.
///
/// It remains the file to which the path led when it was opened. A transaction reads and writes nothing if
/// the path now leads elsewhere or nowhere, because no other program would see the changes (SEC-29).
class ACMETOOL_EXPORT Sqlite final : public Database
{
public:
    /// Opens or creates the file (mode 0600). Errors: io.
    static Result<std::unique_ptr<Sqlite>> open(const std::string& path);
    ~Sqlite() override;

    Result<std::vector<Row>> execute(std::string_view sql,
                                     const std::vector<Value>& parameters = {}) override;
    Result<void> begin() override;
    Result<void> commit() override;
    void rollback() noexcept override;
    Result<unsigned> version() override;
    Result<void> create(const std::vector<std::string_view>& statements, unsigned version,
                        unsigned former = 0) override;
    Result<void> probe() override;
    /// Whether the path still leads to the open file, and the file and its write-ahead log are still in
    /// place. Costs three calls of stat(2).
    Result<void> check_place() const override;
    std::uint64_t changes() const noexcept override;
    Result<std::unique_ptr<Database>> reopen() const override;
    /// Of the open file (FileId::text()).
    std::string id() const override { return id_.text(); }
    std::string_view seconds() const override { return "CAST(strftime('%s', 'now') AS BIGINT)"; }

private:
    struct Close {
        void operator()(sqlite3* database) const noexcept;
    };
    struct Finalize {
        void operator()(sqlite3_stmt* statement) const noexcept;
    };
    struct Statement {
        std::unique_ptr<sqlite3_stmt, Finalize> statement;
        std::vector<std::size_t>
            parameters; ///< by SQLite's index less 1: the place in execute()'s parameters
    };

    Sqlite();
    Result<Statement> prepare(std::string_view sql);
    Result<std::vector<Row>> step(sqlite3_stmt* statement, std::string_view sql);

    std::string path_;
    std::string place_; ///< the file itself, symbolic links resolved
    std::string log_;   ///< the write-ahead log, which exists while the database is open
    FileId id_;
    std::optional<FileId> log_id_; ///< nothing on a file system that does not support such a log
    std::unique_ptr<sqlite3, Close> database_;
    std::map<std::string, Statement, std::less<>> prepared_; ///< destroyed before the database
};

} // namespace acmetool::store
