#pragma once

#include <string>
#include <string_view>

#include "base/context.h"

namespace acmetool::cli
{

/// The lines of a message, sanitized so that a peer's text cannot control the terminal.
std::string safe_lines(std::string_view text);

/// Whether standard error is the journal: JOURNAL_STREAM names this very stream (systemd.exec(5)), not one
/// that a terminal's parent had.
ACMETOOL_EXPORT bool writes_to_journal();

/// The time at the beginning of a daemon's text lines, "2027-01-31T00:00:00Z ".
std::string time_prefix();

/// The prefix that gives a line in the journal its syslog priority (sd-daemon(3)).
std::string_view journal_priority(base::Level level);

/// The form of a program's log lines.
struct LogForm {
    std::string program;
    bool json = false;
    bool colour = false;
    bool journal = false; ///< begins with the syslog priority (sd-daemon(3))
    bool time = false;    ///< text begins with the time; the journal notes it itself

    /// With its end-of-line.
    std::string line(base::Level level, std::string_view text) const;
};

} // namespace acmetool::cli
