#pragma once

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
/// key to look them up by, and the object as JSON. Changes become durable together, at commit(). The caller
/// locks.
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
    Result<void> commit();
    void rollback() noexcept;

    /// 128 random bits in base64url: nobody guesses another's URLs.
    static std::string new_id();

private:
    store::Sqlite database_;
    bool in_transaction_ = false;
};

} // namespace acmetool::ca
