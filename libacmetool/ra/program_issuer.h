#pragma once

#include <memory>

#include "base/result.h"
#include "ra/issuer.h"
#include "ra/options.h"

namespace acmetool::ra
{

/// An external program as issuer: options.issuer_program with "--json" at its end, the CSR in PEM on standard
/// input, and a `certificate`, `deferred` or `error` document on standard output (a PEM chain is taken, too).
///
/// Where there is a problem document it decides; else the exit status does: 75 is "not yet" (the program is
/// run again after retryAfter), 77 forbidden, 65 bad request, anything else an internal failure. It runs at
/// most four times at once, on the threads of a pool, and again after a crash with the same CSR.
Result<std::unique_ptr<Issuer>> make_program_issuer(const Options& options);

} // namespace acmetool::ra
