#pragma once

#include <chrono>

#include "base/error.h"
#include "enrol/registration_authority.h"

namespace acmetool::ra
{

/// What a device is told where the CA or the issuer program failed: the one table
/// (draft-ietf-acme-integrations, "Error Handling"; INT-18 to INT-20).
///
/// badCSR and caa: bad_request; rejectedIdentifier: bad_identity; rateLimited, or a 503 that says when to
/// come back: unavailable; every other problem: internal. Of several subproblems the worst counts (internal
/// before bad_identity before bad_request). Without a problem document the error's code decides.
/// `retry_after` is given where the CA or its absence makes a later try useful.
enrol::Refused refusal_of(const Error& error);

} // namespace acmetool::ra
