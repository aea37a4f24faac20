#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "acmetool/export.h"

/// ASCII text helpers, independent of the locale.
namespace acmetool::base
{

ACMETOOL_EXPORT std::string to_lower(std::string_view text);
ACMETOOL_EXPORT bool equals_ignoring_case(std::string_view a, std::string_view b);
/// `text` without surrounding spaces, tabs, CR and LF. Borrowed from `text`.
ACMETOOL_EXPORT std::string_view trim(std::string_view text);
/// `text` without the byte order mark of UTF-8 that it may begin with. Borrowed from `text`.
std::string_view without_byte_order_mark(std::string_view text);
/// The parts between `separator`s, including empty ones. Borrowed from `text`.
ACMETOOL_EXPORT std::vector<std::string_view> split(std::string_view text, char separator);
ACMETOOL_EXPORT std::string join(const std::vector<std::string>& parts, std::string_view separator);
/// True for well-formed UTF-8 (RFC 3629).
bool is_utf8(std::string_view text);

/// A peer's text sanitized for a log line or terminal: control characters and invalid UTF-8 are replaced with
/// '?', and everything after `limit` octets with "...".
ACMETOOL_EXPORT std::string printable(std::string_view text, std::size_t limit = 500);

} // namespace acmetool::base
