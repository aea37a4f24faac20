#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/context.h"

namespace acmetool::base
{

/// What a program writes, as lines of our log: "hook dns-hook: text".
///
/// Control characters and escape sequences are removed, and of a line that was drawn over (CR), the last
/// state counts. A line has at most 1000 octets, and a run 64 KiB in 1000 lines: what is more is dropped, and
/// the last line tells how much.
class ProgramOutput
{
public:
    /// `name` is put before each line. `context` is not owned.
    ProgramOutput(std::string name, Context& context) : name_(std::move(name)), context_(context) {}

    void take(std::string_view text);
    /// Ends the last line.
    void finish();
    /// The last line that is not empty; empty if there is none.
    const std::string& last_line() const { return last_line_; }

private:
    void end_line();

    std::string name_;
    Context& context_;
    std::string line_; ///< so far, as far as it is kept
    std::string last_line_;
    std::size_t told_ = 0; ///< octets
    std::size_t lines_ = 0;
    std::size_t dropped_ = 0; ///< octets
};

} // namespace acmetool::base
