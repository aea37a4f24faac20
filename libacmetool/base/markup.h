#pragma once

#include <string>
#include <string_view>

#include "acmetool/export.h"

namespace acmetool::base
{

/// `text` for HTML and XML, as content or between quotes: the five special characters are escaped, and what
/// printable() replaces, or XML 1.0 forbids, becomes '?'. The only function that lets a peer's text into
/// markup.
ACMETOOL_EXPORT std::string escape_markup(std::string_view text);

} // namespace acmetool::base
