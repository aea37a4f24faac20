#include "store/sqlite_library.h"

#include "base/loaded_library.h"

namespace acmetool::store
{
namespace
{

Result<SqliteLibrary> load()
{
    SqliteLibrary sqlite{};
    base::LoadedLibrary library{"libsqlite3.so.0"};
    library.take(sqlite.bind_blob, "sqlite3_bind_blob")
        .take(sqlite.bind_int64, "sqlite3_bind_int64")
        .take(sqlite.bind_parameter_count, "sqlite3_bind_parameter_count")
        .take(sqlite.bind_parameter_name, "sqlite3_bind_parameter_name")
        .take(sqlite.bind_text, "sqlite3_bind_text")
        .take(sqlite.busy_timeout, "sqlite3_busy_timeout")
        .take(sqlite.clear_bindings, "sqlite3_clear_bindings")
        .take(sqlite.close, "sqlite3_close")
        .take(sqlite.config, "sqlite3_config")
        .take(sqlite.column_blob, "sqlite3_column_blob")
        .take(sqlite.column_bytes, "sqlite3_column_bytes")
        .take(sqlite.column_count, "sqlite3_column_count")
        .take(sqlite.column_text, "sqlite3_column_text")
        .take(sqlite.column_type, "sqlite3_column_type")
        .take(sqlite.db_filename, "sqlite3_db_filename")
        .take(sqlite.errmsg, "sqlite3_errmsg")
        .take(sqlite.exec, "sqlite3_exec")
        .take(sqlite.file_control, "sqlite3_file_control")
        .take(sqlite.filename_wal, "sqlite3_filename_wal")
        .take(sqlite.finalize, "sqlite3_finalize")
        .take(sqlite.open_v2, "sqlite3_open_v2")
        .take(sqlite.prepare_v2, "sqlite3_prepare_v2")
        .take(sqlite.reset, "sqlite3_reset")
        .take(sqlite.step, "sqlite3_step")
        .take(sqlite.total_changes64, "sqlite3_total_changes64");
    ACMETOOL_CHECK(library.result("install SQLite; on Debian: apt install libsqlite3-0", "sqlite"));
    // Pages of a cache come one by one. By default each temporary table, such as that of RETURNING, takes
    // memory for twenty of them from the system, which costs more than its statement.
    sqlite.config(SQLITE_CONFIG_PAGECACHE, nullptr, 0, 0);
    return sqlite;
}

} // namespace

Result<const SqliteLibrary*> sqlite_library()
{
    static const Result<SqliteLibrary> library = load();
    if (!library) return fail(library.error());
    return &*library;
}

} // namespace acmetool::store
