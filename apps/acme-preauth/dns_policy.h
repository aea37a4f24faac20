#pragma once

#include "cli/program.h"

namespace acmetool::cli
{

/// acme-preauth dns-policy: creates a TSIG key and prints the name server policy that allows the key to
/// change only the validation records of the given domains.
void add_dns_policy(Program& program);

} // namespace acmetool::cli
