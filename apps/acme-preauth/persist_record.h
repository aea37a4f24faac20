#pragma once

#include "acme/client.h"
#include "cli/program.h"

namespace acmetool::cli
{

/// acme-preauth persist-record: prints the static record of dns-persist-01. The verb's options fill `client`.
void add_persist_record(Program& program, acme::ClientOptions& client);

} // namespace acmetool::cli
