#pragma once

#include <mutex>
#include <string>
#include <string_view>

#include "acmetool/export.h"
#include "base/context.h"
#include "base/json.h"

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

/// The journal by its own protocol (sd_journal_sendv(3)), which takes fields beside the message. For any
/// thread.
class ACMETOOL_EXPORT Journal
{
public:
    /// `program` is SYSLOG_IDENTIFIER.
    explicit Journal(std::string program, std::string socket = "/run/systemd/journal/socket");
    ~Journal();
    Journal(const Journal&) = delete;
    Journal& operator=(const Journal&) = delete;

    /// One entry: each member of `event` that is text, a number or a truth value is a field, "request_id" is
    /// ACMETOOL_REQUEST_ID. False if the journal does not take it at once: nobody waits.
    bool send(base::Level level, std::string_view message, const base::Json& event);

private:
    const std::string program_;
    const std::string socket_;
    std::mutex mutex_;
    int fd_ = -1;
};

/// True if standard error is a socket of the journal, not a file that JOURNAL_STREAM names.
bool has_journal_socket();

} // namespace acmetool::cli
