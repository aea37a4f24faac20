#pragma once

#include <string>
#include <vector>

#include "acme/client.h"
#include "base/time.h"
#include "common/kept.h"

/// acme-preauth list and status: the authorizations in the state directory.
namespace acmetool::cli
{

/// The account of `options` and the authorizations that its state keeps; those are due `before` their end.
/// Errors: config.
Result<KeptList> kept_authorizations(const acme::ClientOptions& options, const base::Margin& before, Io& io);

} // namespace acmetool::cli
