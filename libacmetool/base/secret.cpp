#include "base/secret.h"

#include <utility>

#include "base/wipe.h"

namespace acmetool::base
{

void Secret::wipe() noexcept
{
    // The capacity, not the size: a short string keeps its octets inside the object.
    value_.resize(value_.capacity());
    base::wipe(value_);
    value_.clear();
}

// Copied, and the original wiped: a moved string may leave short contents behind.
// NOLINTNEXTLINE(performance-move-constructor-init)
Secret::Secret(Secret&& other) noexcept : value_(other.value_)
{
    other.wipe();
}

Secret& Secret::operator=(Secret&& other) noexcept
{
    if (this != &other) {
        wipe();
        value_ = other.value_;
        other.wipe();
    }
    return *this;
}

Secret::~Secret()
{
    wipe();
}

} // namespace acmetool::base
