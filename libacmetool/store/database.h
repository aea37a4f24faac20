#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

#include "acmetool/export.h"

namespace acmetool::store
{

/// A database with transactions. What is committed survives a power cut. Used by one thread at a time; the
/// caller locks.
///
/// The SQL is what SQLite and PostgreSQL share: parameters `$1`, `$2` ...; the types BIGINT, TEXT and BYTEA;
/// INSERT ... ON CONFLICT; no rowid, no implicit conversion.
class ACMETOOL_EXPORT Database
{
public:
    using Row = std::vector<std::string>; ///< a column as text, octets as they are; NULL is empty
    /// A parameter: text and octets are borrowed while the statement runs.
    using Value = std::variant<std::int64_t, std::string_view, ByteView>;

    virtual ~Database() = default;

    /// Runs a statement and returns all rows. It is prepared once and kept: for texts of which there are few.
    /// `parameters[0]` is `$1`. Errors: io.
    virtual Result<std::vector<Row>> execute(std::string_view sql,
                                             const std::vector<Value>& parameters = {}) = 0;

    /// A transaction that writes. Errors: io, reason "databaseMoved", as check_place().
    virtual Result<void> begin() = 0;
    virtual Result<void> commit() = 0;
    virtual void rollback() noexcept = 0;

    /// The version of the schema that create() noted; 0: none.
    virtual Result<unsigned> version() = 0;
    /// Creates the tables, `statements`, if they are absent, and notes `version` of their schema. Errors: io;
    /// config, reason "storeVersion", if the tables are of another version, except `former`, whose content
    /// the caller has brought up to date.
    virtual Result<void> create(const std::vector<std::string_view>& statements, unsigned version,
                                unsigned former = 0) = 0;
    /// Writes something that changes nothing, to find out whether the database accepts writes. Errors: io.
    virtual Result<void> probe() = 0;
    /// Whether this is still the database that was opened; for those who read without a transaction. Cheap.
    /// Errors: io, reason "databaseMoved".
    virtual Result<void> check_place() const = 0;
    /// Rows inserted, changed and deleted since it was opened.
    virtual std::uint64_t changes() const noexcept = 0;
    /// Another connection to the same database, for another thread.
    virtual Result<std::unique_ptr<Database>> reopen() const = 0;
    /// Names the database in messages and lock files.
    virtual std::string id() const = 0;
};

} // namespace acmetool::store
