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

/// --jitter: waits a random time below it, so that many hosts with the same timer do not send requests in the
/// same second. Errc::interrupted.
ACMETOOL_EXPORT Result<void> wait_for_turn(base::Milliseconds jitter, Io& io);

} // namespace acmetool::cli
