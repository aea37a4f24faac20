#include "ra/budget.h"

#include <algorithm>

namespace acmetool::ra
{

void Budget::uncount(const Records::Spent& spent)
{
    if (const auto found = by_device_.find(spent.device); found != by_device_.end() && --found->second == 0)
        by_device_.erase(found);
    renewals_ -= spent.renewal ? 1 : 0;
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

std::optional<std::chrono::seconds> Budget::refuses(const std::string& device, bool renewal,
                                                    base::TimePoint now, const std::string& former)
{
    forget(now);
    const auto until_end = [&](const Records::Spent& spent) {
        return std::max(std::chrono::seconds{1},
                        std::chrono::seconds{spent.at + limits_.budget_window - now});
    };
    const auto count_of = [&](const std::string& id) {
        const auto found = by_device_.find(id);
        return found == by_device_.end() ? 0U : found->second;
    };
    if (count_of(device) + (former.empty() ? 0U : count_of(former)) >= limits_.orders_per_device) {
        const auto oldest = std::find_if(spent_.begin(), spent_.end(), [&](const auto& spent) {
            return spent.device == device || (!former.empty() && spent.device == former);
        });
        return oldest == spent_.end() ? limits_.budget_window : until_end(*oldest);
    }
    const auto all = static_cast<unsigned>(spent_.size());
    const auto others = all - renewals_;
    const auto counted = renewal ? all : others + std::max(renewals_, limits_.renewal_reserve);
    if (counted < limits_.orders_in_total) return std::nullopt;
    return spent_.empty() ? limits_.budget_window : until_end(spent_.front());
}

void Budget::spend(Records::Spent spent)
{
    ++by_device_[spent.device];
    renewals_ += spent.renewal ? 1 : 0;
    newest_ = std::max(newest_, spent.at);
    spent_.push_back(std::move(spent));
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

} // namespace acmetool::ra
