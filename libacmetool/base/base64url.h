#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace acmetool::base
{

/// base64url without padding (RFC 7515 section 2).
ACMETOOL_EXPORT std::string to_base64url(ByteView bytes);

/// The octets. Refuses padding (RFC 8555 section 6.1), other alphabets and non-zero trailing bits.
ACMETOOL_EXPORT Result<Bytes> parse_base64url(std::string_view text);

/// True if every character belongs to the base64url alphabet and there is at least one.
ACMETOOL_EXPORT bool is_base64url(std::string_view text);

/// Standard base64 with padding, without line breaks (RFC 4648 section 4).
ACMETOOL_EXPORT std::string to_base64(ByteView bytes);

/// Standard base64; line breaks, spaces and tabs are skipped, missing padding is an error.
ACMETOOL_EXPORT Result<Bytes> parse_base64(std::string_view text);

} // namespace acmetool::base
