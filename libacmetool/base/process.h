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

/// Runs a program and waits for its end: standard input is /dev/null, standard output is redirected to
/// standard error.
///
/// At the timeout, or once the context is interrupted, its process group gets SIGTERM and a second later
/// SIGKILL. Returns the exit status. Errors: config ("programNotFound"), unavailable ("programTimeout",
/// "programSignal"), interrupted. With `finish`, an interruption does not end the program: for cleaning up.
ACMETOOL_EXPORT Result<int> run_program(const Command& command, Context& context, bool finish = false);

struct Filtered {
    int status = 0;     ///< exit status
    std::string output; ///< its standard output
};

/// The same, with `input` on standard input and the standard output returned; standard error is inherited.
/// More than `limit` octets of output end it: protocol ("programOutput"). A program that does not read its
/// input is not an error. When the program exits, its output so far counts, and its process group gets
/// SIGKILL: a process that it left behind delays nothing.
ACMETOOL_EXPORT Result<Filtered> run_filter(const Command& command, std::string_view input, std::size_t limit,
                                            Context& context);

} // namespace acmetool::base
