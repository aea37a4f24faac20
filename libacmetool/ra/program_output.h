#pragma once

#include <chrono>
#include <string>
#include <variant>
#include <vector>

#include "base/process.h"
#include "base/result.h"
#include "crypto/cert.h"

namespace acmetool::ra
{

/// The program asks to be run again later; between a second and an hour.
struct NotYet {
    std::chrono::seconds retry_after;
};
/// The chain is not compared with the request yet.
using ProgramOutcome = std::variant<std::vector<crypto::Certificate>, NotYet>;

/// Reads the exit status and the standard output of an issuer program; see make_program_issuer(). `program`
/// is its name, for errors.
Result<ProgramOutcome> read_program_output(const base::Filtered& run, const std::string& program);

} // namespace acmetool::ra
