#pragma once

#include <string_view>

#include "acmetool/export.h"

namespace acmetool::base
{

/// True if `text` is a word as protocols use them for types and states: 1 to 64 letters, digits, '-' and '_',
/// a letter or digit first. Such a word of a peer is fit for a program's arguments, a log and a terminal.
ACMETOOL_EXPORT bool is_word(std::string_view text);

} // namespace acmetool::base
