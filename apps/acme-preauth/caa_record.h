#pragma once

#include "acme/client.h"
#include "cli/program.h"

namespace acmetool::cli
{

/// acme-preauth caa-record: prints CAA records that allow only this account to issue, and reports the effect
/// of those published now. The verb's options fill `client`.
void add_caa_record(Program& program, acme::ClientOptions& client);

} // namespace acmetool::cli
