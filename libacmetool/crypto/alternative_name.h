#pragma once

#include <vector>

#include "acmetool/export.h"
#include "base/bytes.h"
#include "base/result.h"
#include "crypto/csr.h"

namespace acmetool::crypto
{

/// The value of a subject alternative name with these entries (RFC 5280 section 4.2.1.6), GeneralNames in
/// DER. Errc::config if a name cannot be encoded.
ACMETOOL_EXPORT Result<Bytes> encode_alternative_name(const std::vector<Identifier>& identifiers);

/// The DNS names and addresses of such a value, sorted and without duplicates; none if it cannot be read.
ACMETOOL_EXPORT std::vector<Identifier> decode_alternative_name(ByteView der);

} // namespace acmetool::crypto
