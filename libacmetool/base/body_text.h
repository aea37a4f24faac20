#pragma once

#include <string_view>

#include "acmetool/export.h"

namespace acmetool::base
{

/// The text of a body without surrounding white space and without the trailing NULs that C programs send.
/// Borrowed from `body`.
ACMETOOL_EXPORT std::string_view trim_body(std::string_view body);

} // namespace acmetool::base
