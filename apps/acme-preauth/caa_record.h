#pragma once

#include "acme/client.h"
#include "cli/program.h"

namespace acmetool::cli
{

/// acme-preauth caa-record: prints the CAA records that let just this account at this CA issue, and says what
/// the ones that are there do. `client` is filled by its options.
void add_caa_record(Program& program, acme::ClientOptions& client);

} // namespace acmetool::cli
