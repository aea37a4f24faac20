#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/database.h"

namespace acmetool::store
{

enum class ColumnType { text, number, octets };
struct Column {
    std::string_view name;
    ColumnType type = ColumnType::text;
};

/// Copies the rows of a table that both databases have, a thousand at a time in the order of `key`: SQL for a
/// unique text, or a column with unique numbers above zero; empty: the table is small and has none. Returns
/// their number. In a transaction of `to`, whose table has no rows. Errors: io; config, reason "notEmpty".
Result<std::uint64_t> copy_table(Database& from, Database& to, std::string_view table, std::string_view key,
                                 const std::vector<Column>& columns);

} // namespace acmetool::store
