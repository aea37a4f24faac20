#include "store/copy_table.h"

#include <algorithm>

#include <fmt/core.h>

#include "base/bytes.h"

namespace acmetool::store
{
namespace
{

constexpr unsigned kRowsAtOnce = 1000;

Database::Value value_of(const std::string& text, ColumnType type)
{
    if (type == ColumnType::octets) return as_bytes(text);
    if (type == ColumnType::text) return std::string_view{text};
    return number_of(text);
}

} // namespace

Result<std::uint64_t> copy_table(Database& from, Database& to, std::string_view table, std::string_view key,
                                 const std::vector<Column>& columns)
{
    ACMETOOL_TRY(there, to.execute(fmt::format("SELECT 1 FROM {} LIMIT 1", table)));
    if (!there.empty())
        return fail(Errc::config, fmt::format("database {}: {} has rows already", to.id(), table),
                    "copy into a new database, before a relay uses it", "notEmpty");
    std::string names;
    std::string places;
    for (const auto& column : columns) {
        names += fmt::format("{}{}", names.empty() ? "" : ", ", column.name);
        places += fmt::format("{}${}", places.empty() ? "" : ", ", &column - columns.data() + 1);
    }
    const auto insert = fmt::format("INSERT INTO {} ({}) VALUES ({})", table, names, places);
    const auto select = key.empty()
                            ? fmt::format("SELECT {}, '' FROM {}", names, table)
                            : fmt::format("SELECT {0}, {1} FROM {2} WHERE {1} > $1 ORDER BY {1} LIMIT {3}",
                                          names, key, table, kRowsAtOnce);
    // A key that is one of the columns has its type; all others are text.
    const auto keys =
        std::find_if(columns.begin(), columns.end(), [&](const auto& column) { return column.name == key; });
    const auto key_type = keys == columns.end() ? ColumnType::text : keys->type;
    std::uint64_t count = 0;
    for (std::string last;;) {
        ACMETOOL_TRY(
            rows, from.execute(select, key.empty() ? std::vector<Database::Value>{}
                                                   : std::vector<Database::Value>{value_of(last, key_type)}));
        for (const auto& row : rows) {
            std::vector<Database::Value> values;
            for (std::size_t i = 0; i < columns.size(); ++i)
                values.push_back(value_of(row[i], columns[i].type));
            ACMETOOL_CHECK(to.write(insert, values));
        }
        count += rows.size();
        if (key.empty() || rows.size() < kRowsAtOnce) return count;
        last = rows.back().back();
    }
}

} // namespace acmetool::store
