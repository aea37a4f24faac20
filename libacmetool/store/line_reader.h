#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/context.h"
#include "base/result.h"

namespace acmetool::store
{

/// A file as it was read to its end.
struct LinesRead {
    std::uint64_t lines = 0;
    bool is_cut = false; ///< the last one has no newline
};

/// Reads a file, or standard input for "-", of any length, and gives each line without its newline to `take`,
/// with its number, which begins with 1. A byte order mark of UTF-8 is dropped. Waits for a program that
/// writes into a pipe until `context` ends that. Errors: bad_input, for a file that cannot be opened and for
/// a line of more than 64 KiB; io; interrupted; those of `take`.
Result<LinesRead>
read_lines(const std::string& path, base::Context& context,
           const std::function<Result<void>(std::string_view line, std::uint64_t number)>& take);

} // namespace acmetool::store
