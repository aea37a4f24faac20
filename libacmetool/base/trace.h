#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/context.h"
#include "base/json.h"
#include "base/result.h"
#include "base/time.h"

/// Trace files (`--trace`): one message a line, as docs/schema/trace.json has it.
namespace acmetool::base
{

/// A message, and when it passed.
struct TraceEntry {
    TimePoint time;
    Message message;
};

/// As much of a trace file as is one.
struct Trace {
    std::vector<TraceEntry> entries;  ///< in the file's order
    std::vector<std::size_t> skipped; ///< numbers, from 1, of the lines that are no message
    bool cut = false;                 ///< the last line has no end and is none: its writer was stopped
};

/// The members of a trace line.
ACMETOOL_EXPORT Json to_json(const Message& message, TimePoint time);

/// One line of a trace file, with its end-of-line.
ACMETOOL_EXPORT std::string to_trace_line(const Message& message, TimePoint now);

/// Reads one line without its end-of-line. Members that are not known are skipped; texts come back fit for a
/// terminal and cut to what a drawing can hold. Errors: bad_input.
ACMETOOL_EXPORT Result<TraceEntry> parse_trace_line(std::string_view line);

/// Reads a whole file; never fails, as a trace with holes is still of use.
ACMETOOL_EXPORT Trace parse_trace(std::string_view text);

/// True for replies that say no: HTTP 4xx and 5xx, an order or authorization that became invalid, no answer.
ACMETOOL_EXPORT bool is_failure(const Message& message);

} // namespace acmetool::base
