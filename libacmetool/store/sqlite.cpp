#include "store/sqlite.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <fmt/core.h>

namespace acmetool::store
{
namespace
{

struct Finalize {
    void operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }
};
using Statement = std::unique_ptr<sqlite3_stmt, Finalize>;

tl::unexpected<Error> sqlite_error(sqlite3* database, std::string_view what)
{
    return fail(Errc::io, fmt::format("database: {}: {}", what, sqlite3_errmsg(database)),
                "is the disk full, or the file another program's?", "database");
}

} // namespace

void Sqlite::Close::operator()(sqlite3* database) const noexcept
{
    sqlite3_close(database);
}

Result<Sqlite> Sqlite::open(const std::string& path)
{
    // SQLite would make the file with the umask's mode.
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
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
    return sqlite;
}

Result<std::vector<Sqlite::Row>> Sqlite::run(std::string_view sql,
                                             const std::vector<std::string_view>& parameters)
{
    sqlite3_stmt* raw = nullptr;
    if (sqlite3_prepare_v2(database_.get(), sql.data(), static_cast<int>(sql.size()), &raw, nullptr) !=
        SQLITE_OK)
        return sqlite_error(database_.get(), sql);
    const Statement statement{raw};
    for (std::size_t i = 0; i < parameters.size(); ++i)
        sqlite3_bind_text(raw, static_cast<int>(i + 1), parameters[i].data(),
                          static_cast<int>(parameters[i].size()), SQLITE_STATIC);
    std::vector<Row> rows;
    for (;;) {
        const int code = sqlite3_step(raw);
        if (code == SQLITE_DONE) return rows;
        if (code != SQLITE_ROW) return sqlite_error(database_.get(), sql);
        Row row;
        for (int i = 0; i < sqlite3_column_count(raw); ++i) {
            const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(raw, i));
            row.emplace_back(text != nullptr ? text : "",
                             static_cast<std::size_t>(sqlite3_column_bytes(raw, i)));
        }
        rows.push_back(std::move(row));
    }
}

Result<void> Sqlite::begin()
{
    ACMETOOL_CHECK(run("BEGIN IMMEDIATE"));
    return {};
}

Result<void> Sqlite::commit()
{
    ACMETOOL_CHECK(run("COMMIT"));
    return {};
}

void Sqlite::rollback() noexcept
{
    sqlite3_exec(database_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
}

} // namespace acmetool::store
