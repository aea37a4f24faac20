#pragma once

#include <optional>

#include "crypto/channel_binding.h"
#include "enrol/registration_authority.h"

namespace acmetool::enrol
{

/// Compares the CSR's challengePassword with the binding of the connection that it came over, as base64 (RFC
/// 7030 section 3.5); `own` is nothing if the connection has none, and then no password matches.
///
/// Blanks and line breaks in the password do not count, since some clients break the line; an empty one is
/// absent.
ACMETOOL_EXPORT Binding compare_binding(const crypto::Csr& csr,
                                        const std::optional<crypto::ChannelBinding>& own);

} // namespace acmetool::enrol
