#pragma once

#include "acme/client.h"
#include "cli/program.h"

namespace acmetool::cli
{

/// acme-preauth persist-record: prints the static record of dns-persist-01. `client` is filled by its
/// options.
void add_persist_record(Program& program, acme::ClientOptions& client);

} // namespace acmetool::cli
