#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/context.h"
#include "base/json.h"
#include "base/result.h"
#include "base/time.h"

/// Trace files (`--trace`): one message per line, in the form of docs/schema/trace.json.
namespace acmetool::base
{

/// A message with its time.
struct TraceEntry {
    TimePoint time;
    Message message;
};

/// The valid part of a trace file.
struct Trace {
    std::vector<TraceEntry> entries;  ///< in the file's order
    std::vector<std::size_t> skipped; ///< numbers, from 1, of the lines that are not messages
    bool cut = false;                 ///< the last line is incomplete: its writer was stopped
};

/// The members of a trace line.
ACMETOOL_EXPORT Json to_json(const Message& message, TimePoint time);

/// One line of a trace file, with its end-of-line.
ACMETOOL_EXPORT std::string to_trace_line(const Message& message, TimePoint now);

/// Reads one line without its end-of-line. Unknown members are skipped; texts are sanitized for a terminal
/// and truncated to what a drawing can hold. Errors: bad_input.
ACMETOOL_EXPORT Result<TraceEntry> parse_trace_line(std::string_view line);

/// Reads a whole file. Never fails, because an incomplete trace is still useful.
ACMETOOL_EXPORT Trace parse_trace(std::string_view text);

/// True for failures: HTTP 4xx and 5xx, an order or authorization that became invalid, no answer.
ACMETOOL_EXPORT bool is_failure(const Message& message);

} // namespace acmetool::base
