#pragma once

#include <string>
#include <string_view>

#include "base/context.h"

namespace acmetool::cli
{

/// The lines of a message, sanitized so that a peer's text cannot control the terminal.
std::string safe_lines(std::string_view text);

/// The prefix that gives a line in the journal its syslog priority (sd-daemon(3)).
std::string_view journal_priority(base::Level level);

/// The form of a program's log lines.
struct LogForm {
    std::string program;
    bool json = false;
    bool colour = false;
    bool journal = false; ///< begins with the syslog priority (sd-daemon(3))

    /// With its end-of-line.
    std::string line(base::Level level, std::string_view text) const;
};

} // namespace acmetool::cli
