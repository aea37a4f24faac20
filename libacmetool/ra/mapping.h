#pragma once

#include <chrono>

#include "base/error.h"
#include "enrol/registration_authority.h"

namespace acmetool::ra
{

/// The answer to a device if the CA or the issuer program failed: the only table
/// (draft-ietf-acme-integrations, "Error Handling"; INT-18 to INT-20).
///
/// badCSR and caa: bad_request; rejectedIdentifier: bad_identity; rateLimited, or a 503 with Retry-After:
/// unavailable; every other problem: internal. Of several subproblems, the worst is used (internal before
/// bad_identity before bad_request). Without a problem document the error's code decides; what cannot be
/// written here, as on a full disk, is unavailable (SEC-34). `retry_after` is
/// set if a later try is useful.
enrol::Refused refusal_of(const Error& error);

} // namespace acmetool::ra
