#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

/// Lines of comma-separated values (RFC 4180), as spreadsheets and scripts write them.
namespace acmetool::base
{

/// The fields of a line, without blanks around them. A field that begins with a double quote ends with one;
/// between them, commas and blanks are data, and "" is one double quote. Errc::bad_input: malformed quoting,
/// or a NUL octet, which UTF-16 has.
Result<std::vector<std::string>> csv_fields(std::string_view line);

/// A field as csv_fields() reads it, in quotes if it needs them, also not to be taken for a comment (#).
std::string to_csv_field(std::string_view text);

} // namespace acmetool::base
