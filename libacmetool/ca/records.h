#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "store/sqlite.h"

namespace acmetool::ca
{

/// The CA's objects in one SQLite table: kind ("account", "order", "authz", "certificate"), id, account, a
/// key to look them up by, and the object as JSON. The caller locks.
///
/// Each request ends with keep() or discard() of what it changed; what several requests kept becomes durable
/// together, at commit(). Before that, it is seen by later requests, but may not be told to anybody.
class Records
{
public:
    using Found = std::vector<std::pair<std::string, base::Json>>;

    static Result<Records> open(const std::string& path);

    Result<std::optional<base::Json>> get(std::string_view kind, std::string_view id);
    Result<void> put(std::string_view kind, std::string_view id, std::string_view account,
                     std::string_view key, const base::Json& object);
    /// Oldest first. An empty `account` or `key` matches all.
    Result<Found> find(std::string_view kind, std::string_view account, std::string_view key);
    /// The ids alone, at most `most` of them, the first `skipped` left out.
    Result<std::vector<std::string>> ids(std::string_view kind, std::string_view account, std::size_t skipped,
                                         std::size_t most);
    /// Whether it is still the file that was opened (store::Sqlite).
    Result<void> check_place() const { return database_->check_place(); }
    Result<void> keep();
    Result<void> discard();
    bool has_uncommitted() const { return in_transaction_; }
    /// After a failure nothing is left of the changes since the last commit.
    Result<void> commit();

    /// 128 random bits in base64url: nobody guesses another's URLs.
    static std::string new_id();

private:
    std::unique_ptr<store::Sqlite> database_;
    bool in_transaction_ = false;
    bool in_request_ = false; ///< the request at hand has changed something
};

} // namespace acmetool::ca
