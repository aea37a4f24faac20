#pragma once

#include <sqlite3.h>

#include "base/result.h"

namespace acmetool::store
{

/// The functions of SQLite that we call, under their names without "sqlite3_". Their types are those of
/// <sqlite3.h>, so calls are checked like direct ones.
struct SqliteLibrary {
    decltype(&sqlite3_bind_blob) bind_blob;
    decltype(&sqlite3_bind_int64) bind_int64;
    decltype(&sqlite3_bind_parameter_count) bind_parameter_count;
    decltype(&sqlite3_bind_parameter_name) bind_parameter_name;
    decltype(&sqlite3_bind_text) bind_text;
    decltype(&sqlite3_busy_timeout) busy_timeout;
    decltype(&sqlite3_clear_bindings) clear_bindings;
    decltype(&sqlite3_close) close;
    decltype(&sqlite3_config) config;
    decltype(&sqlite3_column_blob) column_blob;
    decltype(&sqlite3_column_bytes) column_bytes;
    decltype(&sqlite3_column_count) column_count;
    decltype(&sqlite3_column_text) column_text;
    decltype(&sqlite3_column_type) column_type;
    decltype(&sqlite3_db_filename) db_filename;
    decltype(&sqlite3_errmsg) errmsg;
    decltype(&sqlite3_exec) exec;
    decltype(&sqlite3_file_control) file_control;
    decltype(&sqlite3_filename_wal) filename_wal;
    decltype(&sqlite3_finalize) finalize;
    decltype(&sqlite3_open_v2) open_v2;
    decltype(&sqlite3_prepare_v2) prepare_v2;
    decltype(&sqlite3_reset) reset;
    decltype(&sqlite3_step) step;
    decltype(&sqlite3_total_changes64) total_changes64;
};

/// SQLite, loaded at the first call (base/loaded_library.h). Safe to call from several threads. Errors:
/// config, reason "sqlite".
Result<const SqliteLibrary*> sqlite_library();

} // namespace acmetool::store
