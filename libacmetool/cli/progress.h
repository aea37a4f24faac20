#pragma once

#include <cstddef>
#include <string>

#include "base/context.h"

namespace acmetool::cli
{

/// How wide the terminal is; 80 if it does not say.
std::size_t terminal_columns(int fd);

/// What a wait looks like at a terminal, less than `columns` wide so that it stays on one line: "waiting for
/// the CA to validate domain.com: 3 s so far, for 57 s more at most". Without the second time where it does
/// not fit; what is waited for is cut then.
std::string progress_line(const base::Wait& wait, std::chrono::steady_clock::time_point now,
                          std::size_t columns);

} // namespace acmetool::cli
