#pragma once

#include <string>
#include <string_view>

#include "acmetool/export.h"

/// Data of records as a zone file has it (RFC 1035 section 5.1).
namespace acmetool::dns
{

/// `text` between quotation marks; those within it and backslashes are escaped, octets other than printable
/// ASCII written as \DDD.
ACMETOOL_EXPORT std::string quoted(std::string_view text);

/// `text` as the data of a TXT record: as many strings of 255 octets as it takes (RFC 1035 section 3.3.14).
ACMETOOL_EXPORT std::string txt_strings(std::string_view text);

} // namespace acmetool::dns
