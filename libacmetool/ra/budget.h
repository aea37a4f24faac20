#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>

#include "ra/options.h"
#include "ra/records.h"

namespace acmetool::ra
{

/// How many orders were placed in the window before now, by device and in all, and whether another one may be
/// (SEC-07). Renewals keep a reserve that new devices cannot use up.
class Budget
{
public:
    explicit Budget(LimitOptions limits) : limits_(limits) {}

    /// Nothing where the order may be placed; else when to ask again.
    std::optional<std::chrono::seconds> refuses(const std::string& device, bool renewal, base::TimePoint now);
    void spend(Records::Spent spent);
    /// What the store remembers, oldest first, instead of what is here.
    void load(const std::vector<Records::Spent>& spent);

private:
    void forget(base::TimePoint now);

    LimitOptions limits_;
    std::deque<Records::Spent> spent_;
    std::map<std::string, unsigned> by_device_;
    unsigned renewals_ = 0;
};

} // namespace acmetool::ra
