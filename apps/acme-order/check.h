#pragma once

#include "cli/program.h"

/// acme-order check: what a monitor wants to know about deployed certificates.
namespace acmetool::cli
{

void add_check(Program& program);

} // namespace acmetool::cli
