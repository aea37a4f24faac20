#pragma once

#include <string_view>

#include "acmetool/export.h"

namespace acmetool::base
{

/// A body of text without blanks at both ends, and without NULs at its end, which programs in C send along.
/// Borrowed from `body`.
ACMETOOL_EXPORT std::string_view trim_body(std::string_view body);

} // namespace acmetool::base
