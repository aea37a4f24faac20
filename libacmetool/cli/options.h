#pragma once

#include <optional>
#include <string>

#include "cli/program.h"

/// Options that several verbs share.
namespace acmetool::cli
{

/// The value of an option in RFC 3339 form or a duration from now; nothing if it is empty. Errc::usage.
ACMETOOL_EXPORT Result<std::optional<base::TimePoint>> parse_moment(const std::string& text,
                                                                    const char* option, base::TimePoint now);

/// What the renew verbs of all programs log: "c.pem: renewed, valid until 2027-01-31T00:00:00Z" and, at -v,
/// "c.pem: not due before 2027-01-01T00:00:00Z". Nothing as time: it has no end, or is never due.
ACMETOOL_EXPORT std::string renewed(const std::string& what, std::optional<base::TimePoint> until);
ACMETOOL_EXPORT std::string not_due(const std::string& what, std::optional<base::TimePoint> before);

/// --jitter: waits a random time below it, so that many hosts with the same timer do not send requests in the
/// same second. Errc::interrupted.
ACMETOOL_EXPORT Result<void> wait_for_turn(base::Milliseconds jitter, Io& io);

} // namespace acmetool::cli
