#pragma once

#include "brski-pledge/options.h"

namespace acmetool::cli
{

/// Gets a voucher, enrols, writes the certificate and reports to the registrar.
Result<void> run_pledge(const DeviceOptions& options, Io& io);

} // namespace acmetool::cli
