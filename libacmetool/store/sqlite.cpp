#include "store/sqlite.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <fmt/core.h>

namespace acmetool::store
{
namespace
{

tl::unexpected<Error> sqlite_error(sqlite3* database, std::string_view what)
{
    return fail(Errc::io, fmt::format("database: {}: {}", what, sqlite3_errmsg(database)),
                "is the disk full, or the file another program's?", "database");
}

tl::unexpected<Error> moved_error(const std::string& path, std::string_view what)
{
    return fail(Errc::io, fmt::format("database: {} {} while it was open", path, what),
                "put the file back, or restart the program to go on with what is there now", "databaseMoved");
}

} // namespace

void Sqlite::Finalize::operator()(sqlite3_stmt* statement) const noexcept
{
    sqlite3_finalize(statement);
}

void Sqlite::Close::operator()(sqlite3* database) const noexcept
{
    sqlite3_close(database);
}

Result<Sqlite> Sqlite::open(const std::string& path)
{
    // SQLite would make the file with the umask's mode. One that is there may not be touched: closing any
    // descriptor of it drops the locks that this process holds by its other connections (POSIX locks), and
    // then the next program that closes the database takes itself for the last and removes the journal.
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0) close(fd);
    sqlite3* raw = nullptr;
    const int code =
        sqlite3_open_v2(path.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
    Sqlite sqlite;
    sqlite.database_.reset(raw);
    if (code != SQLITE_OK) return sqlite_error(raw, path);
    sqlite3_busy_timeout(raw, 5000);
    for (const auto* pragma :
         {"PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", "PRAGMA foreign_keys=ON"})
        ACMETOOL_CHECK(sqlite.run(pragma));
    ACMETOOL_CHECK(sqlite.run("SELECT count(*) FROM sqlite_schema")); // opens the write-ahead log
    // SQLite resolves symbolic links, and has its write-ahead log beside the file itself.
    const char* const place = sqlite3_db_filename(raw, "main");
    sqlite.path_ = path;
    sqlite.place_ = place;
    sqlite.log_ = sqlite3_filename_wal(place);
    int moved = 0;
    const auto id = file_id(path);
    if (sqlite3_file_control(raw, "main", SQLITE_FCNTL_HAS_MOVED, &moved) != SQLITE_OK || moved != 0 || !id)
        return moved_error(path, id ? "was replaced" : "was removed");
    sqlite.id_ = *id;
    sqlite.log_id_ = file_id(sqlite.log_, Links::as_such);
    return sqlite;
}

Result<Sqlite::Statement> Sqlite::prepare(std::string_view sql)
{
    sqlite3_stmt* raw = nullptr;
    if (sqlite3_prepare_v2(database_.get(), sql.data(), static_cast<int>(sql.size()), &raw, nullptr) !=
        SQLITE_OK)
        return sqlite_error(database_.get(), sql);
    return Statement{raw};
}

Result<std::vector<Sqlite::Row>> Sqlite::step(sqlite3_stmt* statement, std::string_view sql)
{
    std::vector<Row> rows;
    for (;;) {
        const int code = sqlite3_step(statement);
        if (code == SQLITE_DONE) return rows;
        if (code != SQLITE_ROW) return sqlite_error(database_.get(), sql);
        Row row;
        for (int i = 0; i < sqlite3_column_count(statement); ++i) {
            // Octets of a BLOB as they are; other types as SQLite writes them.
            const auto* text = sqlite3_column_type(statement, i) == SQLITE_BLOB
                                   ? static_cast<const char*>(sqlite3_column_blob(statement, i))
                                   : reinterpret_cast<const char*>(sqlite3_column_text(statement, i));
            row.emplace_back(text != nullptr ? text : "",
                             static_cast<std::size_t>(sqlite3_column_bytes(statement, i)));
        }
        rows.push_back(std::move(row));
    }
}

Result<std::vector<Sqlite::Row>> Sqlite::run(std::string_view sql,
                                             const std::vector<std::string_view>& parameters)
{
    ACMETOOL_TRY(statement, prepare(sql));
    for (std::size_t i = 0; i < parameters.size(); ++i)
        sqlite3_bind_text(statement.get(), static_cast<int>(i + 1), parameters[i].data(),
                          static_cast<int>(parameters[i].size()), SQLITE_STATIC);
    return step(statement.get(), sql);
}

Result<std::vector<Sqlite::Row>> Sqlite::execute(std::string_view sql, const std::vector<Value>& parameters)
{
    auto found = prepared_.find(sql);
    if (found == prepared_.end()) {
        ACMETOOL_TRY(statement, prepare(sql));
        found = prepared_.emplace(sql, std::move(statement)).first;
    }
    sqlite3_stmt* statement = found->second.get();
    int place = 0;
    for (const auto& value : parameters) {
        ++place;
        if (const auto* number = std::get_if<std::int64_t>(&value))
            sqlite3_bind_int64(statement, place, *number);
        else if (const auto* text = std::get_if<std::string_view>(&value))
            sqlite3_bind_text(statement, place, text->data() != nullptr ? text->data() : "",
                              static_cast<int>(text->size()), SQLITE_STATIC);
        else if (const auto* octets = std::get_if<ByteView>(&value))
            // No octets at a null pointer would be NULL.
            sqlite3_bind_blob(statement, place,
                              octets->empty() ? "" : static_cast<const void*>(octets->data()),
                              static_cast<int>(octets->size()), SQLITE_STATIC);
    }
    auto rows = step(statement, sql);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return rows;
}

Result<void> Sqlite::check_place() const
{
    const auto check = [](const std::string& path, const std::optional<FileId>& there,
                          const std::optional<FileId>& expected) -> Result<void> {
        if (there == expected) return {};
        return moved_error(path, there ? "was replaced" : "was removed");
    };
    ACMETOOL_CHECK(check(path_, file_id(path_), id_));
    // The file by another name is no better: who opens it there has another log beside it.
    ACMETOOL_CHECK(check(place_, file_id(place_, Links::as_such), id_));
    return check(log_, file_id(log_, Links::as_such), log_id_);
}

Result<void> Sqlite::begin()
{
    ACMETOOL_CHECK(check_place());
    ACMETOOL_CHECK(execute("BEGIN IMMEDIATE"));
    return {};
}

Result<void> Sqlite::commit()
{
    ACMETOOL_CHECK(check_place());
    ACMETOOL_CHECK(execute("COMMIT"));
    return {};
}

void Sqlite::rollback() noexcept
{
    sqlite3_exec(database_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
}

int Sqlite::total_changes() const noexcept
{
    return sqlite3_total_changes(database_.get());
}

} // namespace acmetool::store
