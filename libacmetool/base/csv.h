#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

/// Lines of comma-separated values (RFC 4180), as spreadsheets and scripts write them.
namespace acmetool::base
{

/// The fields of a line, without blanks around them. A field that begins with a double quote ends with one;
/// between them, separators and blanks are data, and "" is one double quote. Outside quotes, a '#' at the
/// beginning or behind a blank begins a comment. The separator is a comma unless it is given; then a
/// semicolon outside quotes is an error: who wrote it meant a separator. Errc::bad_input: malformed quoting,
/// such a semicolon, or a NUL octet, which UTF-16 has.
Result<std::vector<std::string>> csv_fields(std::string_view line, std::optional<char> separator = {});

/// Reads the lines of a list of devices one after the other. The list may begin with a heading, whose first
/// field is "serial", in capital or small letters. Its separator, comma or semicolon, is that of all lines:
/// spreadsheets write semicolons where a comma is the decimal point.
class CsvList
{
public:
    explicit CsvList(bool may_have_heading = true) : may_be_heading_(may_have_heading) {}

    /// The fields of a line; nothing if it is the heading, empty, a comment, or has empty fields only. Errors
    /// are those of csv_fields().
    Result<std::optional<std::vector<std::string>>> read(std::string_view line);

private:
    bool is_heading(std::string_view line);

    bool may_be_heading_; ///< the next line
    std::optional<char> separator_;
};

/// A field as csv_fields() reads it, in quotes if it needs them.
std::string to_csv_field(std::string_view text);

} // namespace acmetool::base
