#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "base/bytes.h"

namespace acmetool::ra
{

/// The CSRs of orders that were stored a moment ago, for which the issuer asks next. The connection that
/// reads has to read anew each page that the writer has changed since: that costs more than the few that are
/// kept here. Safe to use from several threads.
class RecentCsrs
{
public:
    /// Empty: forgets that of `id`.
    void keep(const std::string& id, Bytes csr)
    {
        const std::lock_guard lock{mutex_};
        std::erase_if(recent_, [&](const auto& one) { return one.first == id; });
        if (csr.empty()) return;
        if (recent_.size() >= kMost) recent_.pop_front();
        recent_.emplace_back(id, std::move(csr));
    }
    /// Once.
    std::optional<Bytes> take(const std::string& id)
    {
        const std::lock_guard lock{mutex_};
        const auto found =
            std::find_if(recent_.begin(), recent_.end(), [&](const auto& one) { return one.first == id; });
        if (found == recent_.end()) return std::nullopt;
        auto csr = std::move(found->second);
        recent_.erase(found);
        return csr;
    }

private:
    static constexpr std::size_t kMost = 64;
    std::mutex mutex_;
    std::deque<std::pair<std::string, Bytes>> recent_;
};

} // namespace acmetool::ra
