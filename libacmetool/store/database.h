#pragma once

#include <charconv>
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
/// INSERT ... ON CONFLICT; RETURNING; no rowid, no implicit conversion. Between two statements of a
/// transaction others may commit: what must hold is held by unique keys and by conditions of the statement
/// itself.
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

    /// The same for a statement whose rows are not needed. In a transaction it may be sent with what comes
    /// after it, which has its error then.
    virtual Result<void> write(std::string_view sql, const std::vector<Value>& parameters = {})
    {
        if (auto done = execute(sql, parameters); !done) return fail(std::move(done).error());
        return {};
    }

    /// A transaction that writes. Errors: io, reason "databaseMoved", as check_place(); cause store_away.
    virtual Result<void> begin() = 0;
    /// Errors: io; causes commit_unknown (it is done, or it is not) and store_conflict.
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

    // What must differ between the two.
    /// True if other processes may write at the same time.
    virtual bool is_shared() const { return false; }
    /// SQL: the clock that all who use the database share, in seconds since 1970.
    virtual std::string_view seconds() const = 0;
    /// SQL behind a SELECT: locks its rows, and leaves out those that another transaction has locked.
    virtual std::string_view skip_locked() const { return {}; }
    /// SQL behind a SELECT: locks its rows until the transaction ends.
    virtual std::string_view for_update() const { return {}; }
    /// In a transaction: waits until nobody else holds this lock, and holds it until the transaction ends.
    virtual Result<void> lock(std::string_view /*what*/) { return {}; }
    /// In a transaction: whoever listens (Notices) hears `payload` once it is committed.
    virtual Result<void> notify(std::string_view /*payload*/) { return {}; }
};

/// The number in a column; 0 if it is none.
inline std::int64_t number_of(const std::string& column)
{
    std::int64_t number = 0;
    std::from_chars(column.data(), column.data() + column.size(), number);
    return number;
}

} // namespace acmetool::store
