#pragma once

#include "base/context.h"
#include "teap-enroll/options.h"
#include "teap/peer.h"

namespace acmetool::cli
{

/// Vouchers for the device of `options`: the request by its IDevID, the answer by its manufacturer's word.
/// `context` is not owned. Errors: config.
Result<teap::Bootstrap> teap_pledge(const TeapOptions& options, base::Context& context);

} // namespace acmetool::cli
