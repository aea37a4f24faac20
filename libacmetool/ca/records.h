#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "store/database.h"

namespace acmetool::ca
{

/// The CA's objects in one table: kind ("account", "order", "authz", "certificate", "revocation"), id,
/// account, a key to look them up by, and the object as JSON. A view of a database, used by its thread.
///
/// Inside a transaction that several requests share, each request ends with keep() or discard() of what it
/// changed.
class Records
{
public:
    using Found = std::vector<std::pair<std::string, base::Json>>;

    /// Opens or creates the SQLite database; the table of an earlier version is converted. Errors: io;
    /// config, reason "storeVersion".
    static Result<std::unique_ptr<store::Database>> open(const std::string& path);

    /// `database` outlives the view.
    explicit Records(store::Database& database) : database_(database) {}

    Result<std::optional<base::Json>> get(std::string_view kind, std::string_view id);
    /// In a transaction. An object that exists keeps its account and its place in the order.
    Result<void> put(std::string_view kind, std::string_view id, std::string_view account,
                     std::string_view key, const base::Json& object);
    /// Oldest first. An empty `account` or `key` matches all.
    Result<Found> find(std::string_view kind, std::string_view account, std::string_view key);
    /// Calls `look` for each, oldest first; only some are in memory. What is added meanwhile may come, too.
    Result<void> each(std::string_view kind,
                      const std::function<Result<void>(std::string id, base::Json)>& look);
    /// Only the ids, oldest first: at most `most` of them, without the first `skipped`.
    Result<std::vector<std::string>> ids(std::string_view kind, std::string_view account, std::size_t skipped,
                                         std::size_t most);
    /// The request ends, and its changes belong to the transaction.
    Result<void> keep();
    /// The request ends, and its changes are undone.
    Result<void> discard();

    /// 128 random bits in base64url: nobody guesses another's URLs.
    static std::string new_id();

private:
    Result<std::int64_t> next_place();

    store::Database& database_;
    std::optional<std::int64_t> last_place_; ///< read before the first put()
    bool in_request_ = false;                ///< the request at hand has changed something
};

/// Reads what is committed, on a second connection. Safe to use from several threads.
class CommittedRecords
{
public:
    explicit CommittedRecords(std::unique_ptr<store::Database> database) : database_(std::move(database)) {}

    Result<std::optional<base::Json>> get(std::string_view kind, std::string_view id) const;
    /// Whether it is still the file that was opened (store::Database).
    Result<void> check_place() const;

private:
    mutable std::mutex mutex_;
    std::unique_ptr<store::Database> database_;
};

} // namespace acmetool::ca
