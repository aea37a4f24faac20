#pragma once

#include <string>

#include "base/context.h"
#include "base/result.h"
#include "base/time.h"

namespace acmetool::cli
{

/// The draft's ladder, drawn as the messages come: client, ACME server and DNS as columns, or device, RA,
/// ACME server and DNS.
class Ladder
{
public:
    /// The lines for one message, with the head of the ladder before the first.
    std::string draw(const base::Message& message);

private:
    bool begun_ = false;
};

/// One line of a trace file (JSON Lines), with its end-of-line.
std::string trace_line(const base::Message& message, base::TimePoint now);

/// Appends to `path`, made with mode 0600 where it is new. Errors: cannot_create, io.
Result<void> append_trace(const std::string& path, std::string_view line);

} // namespace acmetool::cli
