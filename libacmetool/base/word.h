#pragma once

#include <string_view>

#include "acmetool/export.h"

namespace acmetool::base
{

/// True if `text` is a word as protocols use for types and states: 1 to 64 letters, digits, '-' and '_',
/// beginning with a letter or digit. Such a word from a peer is safe in a program's arguments, a log and a
/// terminal.
ACMETOOL_EXPORT bool is_word(std::string_view text);

} // namespace acmetool::base
