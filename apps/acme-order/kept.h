#pragma once

#include "acme-order/renewal.h"
#include "cli/program.h"
#include "common/kept.h"

/// acme-order list and status: certificates and orders, as the state and the files of --config-dir have them.
namespace acmetool::cli
{

/// --config-dir and --before.
void add_kept_options(Verb& verb, RenewOptions& options);

/// What the account of `options` keeps; with --config-dir, the certificates of its files and what their
/// accounts keep. `renew` reads these files. Errors: config.
Result<KeptList> look_at_kept(Verb& renew, RenewOptions& options, Io& io);

} // namespace acmetool::cli
