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
    std::vector<std::string> inherit{}; ///< names of further variables of this program that are passed on
    bool completes = false; ///< what the run achieved needs it: it has ten seconds more than the run
    std::string name = {};  ///< before each line of its output: "hook /etc/dns-hook"; empty: the program
};

/// True if `name` can be the name of an environment variable (POSIX): letters, digits and "_", no digit
/// first.
ACMETOOL_EXPORT bool is_variable_name(std::string_view name);

struct Ended {
    int status = 0;        ///< exit status
    std::string last_line; ///< of its output in the log, for messages; may be empty
};

/// Runs a program and waits for its end: standard input is /dev/null. What it writes to standard output and
/// standard error becomes lines of the context's log (base/program_output.h); what a process that it left
/// behind writes after its end is discarded.
///
/// At the timeout, when the run ends (Context::run_ends()), or once the context is interrupted, its process
/// group gets SIGTERM and a second later SIGKILL. Errors: config ("programNotFound"), unavailable
/// ("programTimeout", "programSignal"), interrupted. With `finish`, for cleaning up, an interruption does not
/// end the program, and the end of the run only ten seconds later.
ACMETOOL_EXPORT Result<Ended> run_program(const Command& command, Context& context, bool finish = false);

struct Filtered {
    int status = 0;        ///< exit status
    std::string output;    ///< its standard output
    std::string last_line; ///< of standard error in the log; may be empty
};

/// The same, with `input` on standard input and the standard output returned; standard error goes to the log.
/// More than `limit` octets of output end it: protocol ("programOutput"). A program that does not read its
/// input is not an error. When the program exits, its output so far counts, and its process group gets
/// SIGKILL: a process that it left behind delays nothing.
ACMETOOL_EXPORT Result<Filtered> run_filter(const Command& command, std::string_view input, std::size_t limit,
                                            Context& context);

} // namespace acmetool::base
