#include "ra/budget.h"

#include <algorithm>
#include <cstring>

#include "crypto/digest.h"

namespace acmetool::ra
{
namespace
{

/// Of turns: whoever would come later comes between the others. A clock that was ahead must not last.
constexpr std::chrono::hours kLongestQueue{1};

} // namespace

std::size_t Budget::First::operator()(const Digest& digest) const noexcept
{
    std::size_t first = 0;
    std::memcpy(&first, digest.data(), sizeof first);
    return first;
}

Budget::Digest Budget::digest_of(std::string_view device)
{
    Digest digest{};
    std::copy_n(crypto::sha256(as_bytes(device)).begin(), digest.size(), digest.begin());
    return digest;
}

unsigned Budget::count_of(const Digest& device) const
{
    const auto found = by_device_.find(device);
    return found == by_device_.end() ? 0 : found->second;
}

void Budget::uncount(const Counted& spent)
{
    renewals_ -= spent.renewal ? 1 : 0;
    if (--spent.device->second > 0) return;
    const auto gone = spent.device->first;
    by_device_.erase(gone);
}

void Budget::forget(base::TimePoint now)
{
    if (newest_ > now) {
        for (auto& spent : spent_)
            spent.at = std::min(spent.at, now);
        newest_ = now;
    }
    while (!spent_.empty() && spent_.front().at + limits_.budget_window <= now) {
        uncount(spent_.front());
        spent_.pop_front();
    }
}

void Budget::undo()
{
    for (; unsettled_ > 0 && !spent_.empty(); --unsettled_) {
        uncount(spent_.back());
        spent_.pop_back();
    }
    unsettled_ = 0;
}

std::optional<std::chrono::seconds> refused_by(const LimitOptions& limits, const SpentCounts& of_device,
                                               const SpentCounts& of_all, bool renewal, base::TimePoint now)
{
    const auto until_end = [&](const SpentCounts& counts) {
        if (!counts.oldest) return limits.budget_window;
        return std::max(std::chrono::seconds{1},
                        std::chrono::seconds{std::min(*counts.oldest, now) + limits.budget_window - now});
    };
    if (of_device.all >= limits.orders_per_device) return until_end(of_device);
    const auto others = of_all.all - of_all.renewals;
    const auto counted =
        renewal ? of_all.all : others + std::max<std::uint64_t>(of_all.renewals, limits.renewal_reserve);
    if (counted < limits.orders_in_total) return std::nullopt;
    return until_end(of_all);
}

std::optional<std::chrono::seconds> Budget::refuses(const std::string& device, bool renewal,
                                                    base::TimePoint now, const std::string& former)
{
    forget(now);
    const auto its = digest_of(device);
    const auto of_former = former.empty() ? its : digest_of(former);
    SpentCounts of_device;
    of_device.all = count_of(its) + (of_former == its ? 0 : count_of(of_former));
    if (of_device.all >= limits_.orders_per_device) {
        const auto oldest = std::find_if(spent_.begin(), spent_.end(), [&](const Counted& spent) {
            return spent.device->first == its || spent.device->first == of_former;
        });
        if (oldest != spent_.end()) of_device.oldest = oldest->at;
    }
    SpentCounts of_all{spent_.size(), renewals_, std::nullopt};
    if (!spent_.empty()) of_all.oldest = spent_.front().at;
    return refused_by(limits_, of_device, of_all, renewal, now);
}

void Budget::spend(const Records::Spent& spent)
{
    auto& device = *by_device_.try_emplace(digest_of(spent.device)).first;
    ++device.second;
    renewals_ += spent.renewal ? 1 : 0;
    newest_ = std::max(newest_, spent.at);
    spent_.push_back({spent.at, &device, spent.renewal});
    ++unsettled_;
}

void Budget::load(const std::vector<Records::Spent>& spent)
{
    spent_.clear();
    by_device_.clear();
    renewals_ = 0;
    newest_ = {};
    for (const auto& one : spent)
        spend(one);
    settle();
}

std::chrono::seconds Turns::take(base::TimePoint now, std::chrono::seconds wait, std::size_t sharers)
{
    const auto ours = std::max<std::size_t>(1, kPerSecond / std::max<std::size_t>(1, sharers));
    const std::lock_guard lock{mutex_};
    const auto first = now + wait;
    if (last_ < first || last_ >= first + kLongestQueue) {
        last_ = first;
        taken_ = 0;
    } else if (taken_ >= ours) {
        last_ += std::chrono::seconds{1};
        taken_ = 0;
    }
    ++taken_;
    return std::chrono::seconds{last_ - now};
}

} // namespace acmetool::ra
