#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.h"

namespace acmetool::relay
{

/// Writes HTML that is XML as well: every element is closed, and all text and all values of attributes go
/// through base::escape_markup(). Tags and names of attributes are literals of this program.
class Html
{
public:
    using Attributes = std::initializer_list<std::pair<std::string_view, std::string>>;

    Html& open(std::string_view tag, Attributes attributes = {});
    Html& close(); ///< the element that was opened last
    Html& text(std::string_view text);
    Html& text_break(); ///< a new line, for pre
    /// open(), text(), close().
    Html& element(std::string_view tag, std::string_view text, Attributes attributes = {});
    /// An element without content: meta, link, input, img.
    Html& empty(std::string_view tag, Attributes attributes);
    /// A time element, of which machines read the date.
    Html& time(base::TimePoint time);
    Html& link(const std::string& target, std::string_view text);

    /// All of it; what is still open is closed.
    std::string take();

private:
    void begin(std::string_view tag, Attributes attributes);

    std::string out_;
    std::vector<std::string_view> open_;
};

/// `text` for the query of a URL (RFC 3986).
std::string query_value(std::string_view text);
/// The value of `name` in the query of a target, decoded; empty: absent, or not well-formed.
std::string query_member(std::string_view target, std::string_view name);

} // namespace acmetool::relay
