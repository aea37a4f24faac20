#pragma once

#include <string>
#include <string_view>

#include "acmetool/export.h"

namespace acmetool::base
{

/// Secret octets: wiped when destroyed, not copyable, not printable, not comparable.
class ACMETOOL_EXPORT Secret
{
public:
    Secret() = default;
    explicit Secret(std::string value) : value_(std::move(value)) {}
    Secret(Secret&& other) noexcept;
    Secret& operator=(Secret&& other) noexcept;
    Secret(const Secret&) = delete;
    Secret& operator=(const Secret&) = delete;
    ~Secret();

    /// The octets, for the one call that needs them. Borrowed.
    std::string_view reveal() const { return value_; }
    bool empty() const { return value_.empty(); }

private:
    void wipe() noexcept;
    std::string value_;
};

} // namespace acmetool::base
