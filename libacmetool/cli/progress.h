#pragma once

#include <cstddef>
#include <string>

#include "base/context.h"

namespace acmetool::cli
{

/// The width of the terminal; 80 if unknown.
std::size_t terminal_columns(int fd);

/// A wait as shown on a terminal, narrower than `columns` so that it fits on one line: "waiting for the CA to
/// validate domain.com: 3 s so far, for 57 s more at most". If it does not fit, the second time is omitted
/// and the subject is truncated.
std::string progress_line(const base::Wait& wait, std::chrono::steady_clock::time_point now,
                          std::size_t columns);

} // namespace acmetool::cli
