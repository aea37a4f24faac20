#pragma once

#include "common/kept.h"
#include "est-enroll/renewal.h"

/// est-enroll list and status: the certificates that renew keeps alive, with their keys and journals.
namespace acmetool::cli
{

/// Adds both. `renew` reads the files of --config-dir into `options`. All outlive the program.
void add_kept(Program& program, Verb& renew, EstRenewOptions& options);

} // namespace acmetool::cli
