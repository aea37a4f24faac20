#pragma once

#include "cli/program.h"

namespace acmetool::cli
{

/// acme-preauth dns-policy: makes a TSIG key and prints the policy by which a name server lets it change the
/// validation records of some domains, and nothing else.
void add_dns_policy(Program& program);

} // namespace acmetool::cli
