#pragma once

#include "base/context.h"
#include "teap-enroll/options.h"
#include "teap/peer.h"

namespace acmetool::cli
{

/// Vouchers for the device of `options`: requests signed with its IDevID, vouchers verified with its
/// manufacturer's anchors. `context` is not owned. Errors: config.
Result<teap::Bootstrap> teap_pledge(const TeapOptions& options, base::Context& context);

} // namespace acmetool::cli
