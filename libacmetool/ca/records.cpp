#include "ca/records.h"

#include <array>
#include <charconv>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/base64url.h"
#include "crypto/digest.h"
#include "store/sqlite.h"

namespace acmetool::ca
{
namespace
{

constexpr unsigned kSchemaVersion = 1;
// With the place in the indexes, a look-up by key does not sort.
const std::vector<std::string_view> kSchema{
    "CREATE TABLE IF NOT EXISTS records (place BIGINT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, "
    "account "
    "TEXT NOT NULL, key TEXT NOT NULL, object TEXT NOT NULL, PRIMARY KEY (kind, id))",
    "CREATE INDEX IF NOT EXISTS records_by_account ON records (kind, account, key, place)",
    "CREATE INDEX IF NOT EXISTS records_by_key ON records (kind, key, place)",
    "CREATE INDEX IF NOT EXISTS records_by_place ON records (kind, place)"};

Result<bool> has_earlier_table(store::Sqlite& database)
{
    ACMETOOL_TRY(rows, database.execute("SELECT name FROM sqlite_schema WHERE name = 'objects'"));
    return !rows.empty();
}

/// The first version had a table "objects", with SQLite's rowid as order. In a transaction.
Result<void> convert_earlier_table(store::Sqlite& database)
{
    ACMETOOL_TRY(present, has_earlier_table(database)); // another program may have been first
    if (!present) return {};
    ACMETOOL_CHECK(database.execute("INSERT INTO records (place, kind, id, account, key, object) "
                                    "SELECT rowid, kind, id, account, key, object FROM objects"));
    ACMETOOL_CHECK(database.execute("DROP TABLE objects"));
    return {};
}

Result<void> convert(store::Sqlite& database)
{
    ACMETOOL_TRY(present, has_earlier_table(database));
    if (!present) return {};
    ACMETOOL_CHECK(database.begin());
    auto done = convert_earlier_table(database);
    if (done) done = database.commit();
    if (!done) database.rollback();
    return done;
}

} // namespace

Result<std::unique_ptr<store::Database>> Records::open(const std::string& path)
{
    ACMETOOL_TRY(database, store::Sqlite::open(path));
    ACMETOOL_CHECK(database->create(kSchema, kSchemaVersion));
    ACMETOOL_CHECK(convert(*database));
    return std::unique_ptr<store::Database>{std::move(database)};
}

Result<std::optional<base::Json>> Records::get(std::string_view kind, std::string_view id)
{
    ACMETOOL_TRY(rows,
                 database_.execute("SELECT object FROM records WHERE kind = $1 AND id = $2", {kind, id}));
    if (rows.empty()) return std::optional<base::Json>{};
    ACMETOOL_TRY(object, base::parse_json(rows.front().front(), "stored object"));
    return std::optional<base::Json>{std::move(object)};
}

Result<std::int64_t> Records::next_place()
{
    if (!last_place_) {
        ACMETOOL_TRY(rows, database_.execute("SELECT coalesce(max(place), 0) FROM records"));
        const auto& text = rows.front().front();
        std::int64_t last = 0;
        std::from_chars(text.data(), text.data() + text.size(), last);
        last_place_ = last;
    }
    return ++*last_place_;
}

Result<void> Records::put(std::string_view kind, std::string_view id, std::string_view account,
                          std::string_view key, const base::Json& object)
{
    if (!in_request_) ACMETOOL_CHECK(database_.execute("SAVEPOINT request"));
    in_request_ = true;
    ACMETOOL_TRY(place, next_place());
    const auto text = base::to_text(object);
    ACMETOOL_CHECK(database_.execute(
        "INSERT INTO records (place, kind, id, account, key, object) VALUES ($1, $2, $3, $4, $5, $6) "
        "ON CONFLICT (kind, id) DO UPDATE SET key = excluded.key, object = excluded.object",
        {place, kind, id, account, key, text}));
    return {};
}

Result<Records::Found> Records::find(std::string_view kind, std::string_view account, std::string_view key)
{
    std::string sql = "SELECT id, object FROM records WHERE kind = $1";
    std::vector<store::Database::Value> parameters{kind};
    if (!account.empty()) {
        sql += " AND account = $2";
        parameters.push_back(account);
    }
    if (!key.empty()) {
        sql += fmt::format(" AND key = ${}", parameters.size() + 1);
        parameters.push_back(key);
    }
    sql += " ORDER BY place";
    ACMETOOL_TRY(rows, database_.execute(sql, parameters));
    Found found;
    for (auto& row : rows) {
        ACMETOOL_TRY(object, base::parse_json(row[1], "stored object"));
        found.emplace_back(std::move(row[0]), std::move(object));
    }
    return found;
}

Result<void> Records::each(std::string_view kind,
                           const std::function<Result<void>(std::string id, base::Json)>& look)
{
    constexpr std::int64_t kAtOnce = 500;
    std::int64_t last = 0;
    for (;;) {
        ACMETOOL_TRY(rows, database_.execute("SELECT place, id, object FROM records WHERE kind = $1 AND "
                                             "place > $2 ORDER BY place LIMIT $3",
                                             {kind, last, kAtOnce}));
        for (auto& row : rows) {
            ACMETOOL_TRY(object, base::parse_json(row[2], "stored object"));
            ACMETOOL_CHECK(look(std::move(row[1]), std::move(object)));
        }
        if (rows.empty()) return {};
        last = store::number_of(rows.back()[0]);
    }
}

Result<std::vector<std::string>> Records::ids(std::string_view kind, std::string_view account,
                                              std::size_t skipped, std::size_t most)
{
    ACMETOOL_TRY(rows, database_.execute("SELECT id FROM records WHERE kind = $1 AND account = $2 "
                                         "ORDER BY place LIMIT $3 OFFSET $4",
                                         {kind, account, static_cast<std::int64_t>(most),
                                          static_cast<std::int64_t>(skipped)}));
    std::vector<std::string> ids;
    ids.reserve(rows.size());
    for (auto& row : rows)
        ids.push_back(std::move(row.front()));
    return ids;
}

Result<void> Records::keep()
{
    if (!std::exchange(in_request_, false)) return {};
    ACMETOOL_CHECK(database_.execute("RELEASE SAVEPOINT request"));
    return {};
}

Result<void> Records::discard()
{
    if (!std::exchange(in_request_, false)) return {};
    ACMETOOL_CHECK(database_.execute("ROLLBACK TO SAVEPOINT request"));
    ACMETOOL_CHECK(database_.execute("RELEASE SAVEPOINT request"));
    return {};
}

std::string Records::new_id()
{
    return base::to_base64url(crypto::random_bytes(16));
}

Result<std::optional<base::Json>> CommittedRecords::get(std::string_view kind, std::string_view id) const
{
    const std::lock_guard lock{mutex_};
    return Records{*database_}.get(kind, id);
}

Result<void> CommittedRecords::check_place() const
{
    const std::lock_guard lock{mutex_};
    return database_->check_place();
}

} // namespace acmetool::ca
