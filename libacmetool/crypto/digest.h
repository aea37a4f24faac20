#pragma once

#include <cstddef>

#include "acmetool/export.h"
#include "base/bytes.h"

/// The project's digest and its source of randomness.
namespace acmetool::crypto
{

/// SHA-256 of `data`: 32 octets.
ACMETOOL_EXPORT Bytes sha256(ByteView data);

/// `count` octets of OpenSSL's generator. Ends the process if the generator fails.
ACMETOOL_EXPORT Bytes random_bytes(std::size_t count);

} // namespace acmetool::crypto
