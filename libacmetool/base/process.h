#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/context.h"
#include "base/result.h"

namespace acmetool::base
{

struct Command {
    std::vector<std::string> arguments; ///< the program first; never through a shell
    std::vector<std::string>
        environment; ///< "NAME=value", beside PATH, HOME, LANG and TMPDIR; nothing else is inherited
    Milliseconds timeout{120'000};
};

/// Runs a program to its end: standard input is /dev/null, its standard output joins our standard error.
///
/// At the timeout, or once the context is interrupted, its process group gets SIGTERM and a second later
/// SIGKILL. Returns the exit status. Errors: config ("programNotFound"), unavailable ("programTimeout",
/// "programSignal"), interrupted. With `finish` a signal does not end it: for cleaning up.
ACMETOOL_EXPORT Result<int> run_program(const Command& command, Context& context, bool finish = false);

struct Filtered {
    int status = 0;     ///< exit status
    std::string output; ///< what it wrote to standard output
};

/// The same with `input` on standard input, and its standard output kept; standard error is ours. More than
/// `limit` octets of output end it: protocol ("programOutput"). A program that does not read is no error.
/// When the program exits, what it wrote so far counts, and its process group gets SIGKILL: a process that it
/// left behind holds up nothing.
ACMETOOL_EXPORT Result<Filtered> run_filter(const Command& command, std::string_view input, std::size_t limit,
                                            Context& context);

} // namespace acmetool::base
