#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

namespace acmetool::base
{

enum class Level { error, warning, info, detail, wire };

/// One message between two parties, for `--trace` and `--show flow`. Never holds a secret, a body or a
/// header.
struct Message {
    std::string from;   ///< "client", "acme", "dns", "web"; in a relay's trace also "ra" and "masa"
    std::string to;     ///< likewise
    std::string label;  ///< text on the arrow in the draft's ladder: "POST /newAuthz", "201 status=ready"
    std::string detail; ///< second line of the arrow, often the identifier; may be empty
    std::string method; ///< HTTP method or DNS opcode; may be empty
    std::string url;    ///< whole URL or record name; may be empty
    int status = 0;     ///< HTTP status, DNS RCODE; 0 in requests
    std::optional<Milliseconds> took; ///< in replies: time since the request
    std::string request_id = {};      ///< in a relay: ID of the device's request; may be empty
    /// In a relay: "SUBJECT serial NUMBER" of the device's certificate; may be empty.
    std::string device = {};
    bool inferred = false; ///< nobody here saw it, but what follows shows that it was sent
};

/// A wait, as shown on a terminal.
struct Wait {
    std::string what;                                           ///< "the CA to validate example.com"
    std::chrono::steady_clock::time_point since;                ///< when the wait began
    std::optional<std::chrono::steady_clock::time_point> until; ///< the deadline, if there is one
};

/// The environment of a library call: time, cancellation, and receivers of messages.
///
/// Tests replace this class. Used by one thread at a time.
class ACMETOOL_EXPORT Context
{
public:
    virtual ~Context() = default;

    /// Wall clock: for comparison with a peer's times.
    virtual TimePoint now() const;
    /// Monotonic clock: for deadlines.
    virtual std::chrono::steady_clock::time_point steady_now() const;
    /// When the whole run must have ended (`--timeout`); absent: no limit. Connections wait no longer.
    virtual std::optional<std::chrono::steady_clock::time_point> run_ends() const { return {}; }
    /// Sleeps and reports the wait; fails with Errc::interrupted as soon as interrupted() becomes true.
    virtual Result<void> sleep(Milliseconds duration, const Wait& wait);
    /// Called a few times a second while something other than sleep() waits. Shown on a terminal.
    virtual void waiting(const Wait& /*wait*/) {}
    /// True once a signal asked the program to stop. The call cleans up and ends.
    virtual bool interrupted() const { return false; }

    virtual void log(Level, std::string_view /*text*/) {}
    virtual void message(const Message&) {}
};

/// The error of an interrupted wait.
ACMETOOL_EXPORT Error interrupted_error(std::string_view what);

} // namespace acmetool::base
