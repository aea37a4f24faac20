#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "acmetool/export.h"

/// Characters that make a terminal do or show something else than what stands there: control characters, C1
/// included, line separators, and what turns the direction of the text (U+200E, U+200F, U+2028 to U+202E,
/// U+2066 to U+2069).
namespace acmetool::base
{

/// How many octets of `text` (UTF-8) are such a character, at its beginning; 0: it begins with another one.
ACMETOOL_EXPORT std::size_t steering_length(std::string_view text);

/// The same JSON text with those inside strings as "\u009b".
ACMETOOL_EXPORT std::string escape_steering(std::string json);

} // namespace acmetool::base
