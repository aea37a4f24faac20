#include "ca/records.h"

#include <array>
#include <utility>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/base64url.h"
#include "crypto/digest.h"

namespace acmetool::ca
{

Result<Records> Records::open(const std::string& path)
{
    ACMETOOL_TRY(database, store::Sqlite::open(path));
    Records records;
    records.database_ = std::move(database);
    for (const auto* sql :
         {"CREATE TABLE IF NOT EXISTS objects (kind TEXT NOT NULL, id TEXT NOT NULL, account TEXT NOT "
          "NULL, key TEXT NOT NULL, object TEXT NOT NULL, UNIQUE (kind, id))",
          "CREATE INDEX IF NOT EXISTS objects_by_key ON objects (kind, account, key)",
          "CREATE INDEX IF NOT EXISTS objects_by_key_alone ON objects (kind, key)"})
        ACMETOOL_CHECK(records.database_->execute(sql));
    return records;
}

Result<std::optional<base::Json>> Records::get(std::string_view kind, std::string_view id)
{
    ACMETOOL_TRY(rows,
                 database_->execute("SELECT object FROM objects WHERE kind = $1 AND id = $2", {kind, id}));
    if (rows.empty()) return std::optional<base::Json>{};
    ACMETOOL_TRY(object, base::parse_json(rows.front().front(), "stored object"));
    return std::optional<base::Json>{std::move(object)};
}

Result<void> Records::put(std::string_view kind, std::string_view id, std::string_view account,
                          std::string_view key, const base::Json& object)
{
    if (!in_transaction_) ACMETOOL_CHECK(database_->begin());
    in_transaction_ = true;
    if (!in_request_) ACMETOOL_CHECK(database_->execute("SAVEPOINT request"));
    in_request_ = true;
    const auto text = base::to_text(object);
    ACMETOOL_CHECK(database_->execute(
        "INSERT INTO objects (kind, id, account, key, object) VALUES ($1, $2, $3, $4, $5) "
        "ON CONFLICT (kind, id) DO UPDATE SET key = excluded.key, object = excluded.object",
        {kind, id, account, key, text}));
    return {};
}

Result<Records::Found> Records::find(std::string_view kind, std::string_view account, std::string_view key)
{
    std::string sql = "SELECT id, object FROM objects WHERE kind = $1";
    std::vector<store::Database::Value> parameters{kind};
    if (!account.empty()) {
        sql += " AND account = $2";
        parameters.push_back(account);
    }
    if (!key.empty()) {
        sql += fmt::format(" AND key = ${}", parameters.size() + 1);
        parameters.push_back(key);
    }
    sql += " ORDER BY rowid";
    ACMETOOL_TRY(rows, database_->execute(sql, parameters));
    Found found;
    for (auto& row : rows) {
        ACMETOOL_TRY(object, base::parse_json(row[1], "stored object"));
        found.emplace_back(std::move(row[0]), std::move(object));
    }
    return found;
}

Result<std::vector<std::string>> Records::ids(std::string_view kind, std::string_view account,
                                              std::size_t skipped, std::size_t most)
{
    ACMETOOL_TRY(rows, database_->execute("SELECT id FROM objects WHERE kind = $1 AND account = $2 "
                                          "ORDER BY rowid LIMIT $3 OFFSET $4",
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
    ACMETOOL_CHECK(database_->execute("RELEASE request"));
    return {};
}

Result<void> Records::discard()
{
    if (!std::exchange(in_request_, false)) return {};
    ACMETOOL_CHECK(database_->execute("ROLLBACK TO request"));
    ACMETOOL_CHECK(database_->execute("RELEASE request"));
    return {};
}

Result<void> Records::commit()
{
    if (!std::exchange(in_transaction_, false)) return {};
    auto done = database_->commit();
    if (!done) database_->rollback();
    return done;
}

std::string Records::new_id()
{
    return base::to_base64url(crypto::random_bytes(16));
}

} // namespace acmetool::ca
