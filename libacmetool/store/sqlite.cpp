#include "store/sqlite.h"

#include <fcntl.h>
#include <unistd.h>

#include <charconv>
#include <cstring>

#include <fmt/core.h>

#include "store/sqlite_library.h"

namespace acmetool::store
{
namespace
{

/// Loaded by Sqlite::open, before anything else is called.
const SqliteLibrary& api()
{
    return **sqlite_library();
}

tl::unexpected<Error> sqlite_error(sqlite3* database, std::string_view what)
{
    return fail(Errc::io, fmt::format("database: {}: {}", what, api().errmsg(database)),
                "check whether the disk is full or the file belongs to another program", "database");
}

tl::unexpected<Error> moved_error(const std::string& path, std::string_view what)
{
    return fail(Errc::io, fmt::format("database: {} {} while it was open", path, what),
                "restore the file, or restart the program to continue with the current one", "databaseMoved");
}

} // namespace

void Sqlite::Finalize::operator()(sqlite3_stmt* statement) const noexcept
{
    api().finalize(statement);
}

void Sqlite::Close::operator()(sqlite3* database) const noexcept
{
    api().close(database);
}

Sqlite::Sqlite() = default;
Sqlite::~Sqlite() = default;

Result<std::unique_ptr<Sqlite>> Sqlite::open(const std::string& path)
{
    ACMETOOL_CHECK(sqlite_library());
    // SQLite would create the file with the umask's mode. An existing file must not be opened here: closing
    // any descriptor of it releases the locks of this process's other connections (POSIX locks), and the next
    // program that closes the database would consider itself the last and remove the journal.
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0) close(fd);
    sqlite3* raw = nullptr;
    const int code = api().open_v2(path.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
    std::unique_ptr<Sqlite> sqlite{new Sqlite};
    sqlite->database_.reset(raw);
    if (code != SQLITE_OK) return sqlite_error(raw, path);
    api().busy_timeout(raw, 5000);
    for (const auto* pragma :
         {"PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", "PRAGMA foreign_keys=ON"})
        ACMETOOL_CHECK(sqlite->execute(pragma));
    ACMETOOL_CHECK(sqlite->execute("SELECT count(*) FROM sqlite_schema")); // opens the write-ahead log
    // SQLite resolves symbolic links, and has its write-ahead log beside the file itself.
    const char* const place = api().db_filename(raw, "main");
    sqlite->path_ = path;
    sqlite->place_ = place;
    sqlite->log_ = api().filename_wal(place);
    int moved = 0;
    const auto id = file_id(path);
    if (api().file_control(raw, "main", SQLITE_FCNTL_HAS_MOVED, &moved) != SQLITE_OK || moved != 0 || !id)
        return moved_error(path, id ? "was replaced" : "was removed");
    sqlite->id_ = *id;
    sqlite->log_id_ = file_id(sqlite->log_, Links::as_such);
    return sqlite;
}

Result<Sqlite::Statement> Sqlite::prepare(std::string_view sql)
{
    sqlite3_stmt* raw = nullptr;
    if (api().prepare_v2(database_.get(), sql.data(), static_cast<int>(sql.size()), &raw, nullptr) !=
        SQLITE_OK)
        return sqlite_error(database_.get(), sql);
    Statement prepared;
    prepared.statement.reset(raw);
    // For SQLite `$1` is a name like any other, numbered in the order of appearance.
    for (int i = 1; i <= api().bind_parameter_count(raw); ++i) {
        std::size_t number = 0;
        if (const char* name = api().bind_parameter_name(raw, i))
            std::from_chars(name + 1, name + std::strlen(name), number);
        if (number == 0)
            return fail(Errc::internal, fmt::format("database: {}: parameters are $1, $2 ...", sql));
        prepared.parameters.push_back(number - 1);
    }
    return prepared;
}

Result<std::vector<Sqlite::Row>> Sqlite::step(sqlite3_stmt* statement, std::string_view sql)
{
    std::vector<Row> rows;
    for (;;) {
        const int code = api().step(statement);
        if (code == SQLITE_DONE) return rows;
        if (code != SQLITE_ROW) return sqlite_error(database_.get(), sql);
        Row row;
        for (int i = 0; i < api().column_count(statement); ++i) {
            // Octets of a BLOB as they are; other types as SQLite writes them.
            const auto* text = api().column_type(statement, i) == SQLITE_BLOB
                                   ? static_cast<const char*>(api().column_blob(statement, i))
                                   : reinterpret_cast<const char*>(api().column_text(statement, i));
            row.emplace_back(text != nullptr ? text : "",
                             static_cast<std::size_t>(api().column_bytes(statement, i)));
        }
        rows.push_back(std::move(row));
    }
}

Result<std::vector<Sqlite::Row>> Sqlite::execute(std::string_view sql, const std::vector<Value>& parameters)
{
    auto found = prepared_.find(sql);
    if (found == prepared_.end()) {
        ACMETOOL_TRY(statement, prepare(sql));
        found = prepared_.emplace(sql, std::move(statement)).first;
    }
    sqlite3_stmt* statement = found->second.statement.get();
    int place = 0;
    for (const auto number : found->second.parameters) {
        ++place;
        if (number >= parameters.size())
            return fail(Errc::internal, fmt::format("database: {}: a parameter is missing", sql));
        const auto& value = parameters[number];
        if (const auto* integer = std::get_if<std::int64_t>(&value))
            api().bind_int64(statement, place, *integer);
        else if (const auto* text = std::get_if<std::string_view>(&value))
            api().bind_text(statement, place, text->data() != nullptr ? text->data() : "",
                            static_cast<int>(text->size()), SQLITE_STATIC);
        else if (const auto* octets = std::get_if<ByteView>(&value))
            // No octets at a null pointer would be NULL.
            api().bind_blob(statement, place, octets->empty() ? "" : static_cast<const void*>(octets->data()),
                            static_cast<int>(octets->size()), SQLITE_STATIC);
    }
    auto rows = step(statement, sql);
    api().reset(statement);
    api().clear_bindings(statement);
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
    // The same file under another name is also wrong: programs that open it there use another log beside it.
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
    api().exec(database_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
}

Result<unsigned> Sqlite::version()
{
    ACMETOOL_TRY(rows, execute("PRAGMA user_version"));
    return static_cast<unsigned>(number_of(rows.front().front()));
}

Result<void> Sqlite::create(const std::vector<std::string_view>& statements, unsigned version,
                            unsigned former)
{
    ACMETOOL_TRY(found, this->version());
    if (version != 0 && found != 0 && found != version && found != former)
        return fail(Errc::config, fmt::format("store {}: created by another version of this program", path_),
                    "run the version that created it", "storeVersion");
    for (const auto statement : statements)
        ACMETOOL_CHECK(execute(statement));
    if (version != 0) ACMETOOL_CHECK(execute(fmt::format("PRAGMA user_version={}", version)));
    return {};
}

Result<void> Sqlite::probe()
{
    ACMETOOL_TRY(rows, execute("PRAGMA user_version"));
    ACMETOOL_CHECK(execute("PRAGMA user_version=" + rows.front().front()));
    return {};
}

std::uint64_t Sqlite::changes() const noexcept
{
    return static_cast<std::uint64_t>(api().total_changes64(database_.get()));
}

Result<std::unique_ptr<Database>> Sqlite::reopen() const
{
    ACMETOOL_TRY(other, open(path_));
    return std::unique_ptr<Database>{std::move(other)};
}

} // namespace acmetool::store
