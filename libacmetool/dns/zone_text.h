#pragma once

#include <string>
#include <string_view>

#include "acmetool/export.h"

/// Data of records in the form of zone files (RFC 1035 section 5.1).
namespace acmetool::dns
{

/// `text` between quotation marks. Quotation marks and backslashes in it are escaped, and octets other than
/// printable ASCII are written as \DDD.
ACMETOOL_EXPORT std::string quoted(std::string_view text);

/// `text` as the data of a TXT record: as many strings of 255 octets as necessary (RFC 1035 section 3.3.14).
ACMETOOL_EXPORT std::string txt_strings(std::string_view text);

} // namespace acmetool::dns
