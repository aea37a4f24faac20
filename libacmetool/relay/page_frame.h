#pragma once

#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>

#include "base/time.h"
#include "http/server.h"
#include "relay/html.h"

/// What all pages of a relay have in common.
namespace acmetool::relay
{

/// The style sheet, light and dark.
std::string_view page_style();

struct PageFrame {
    std::string program; ///< "est-relay"
    std::string host;
    base::TimePoint now;
};

/// A whole page: `content` writes what is below the heading.
http::ServerResponse framed(const PageFrame& frame, int status, const std::string& title,
                            const std::function<void(Html&)>& content);

/// A bar that says how much of a life is left, with words for those who do not see it. `begin` may be equal
/// to `end` if it is unknown: then there are only the words.
void write_life(Html& html, const std::string& what, base::TimePoint begin, base::TimePoint end,
                base::TimePoint now);

/// A table with a caption and heads; close() it twice after its rows.
void open_table(Html& html, std::string_view caption, std::initializer_list<std::string_view> heads);
/// A cell, named for narrow screens. close() it.
Html& open_cell(Html& html, std::string_view head);

} // namespace acmetool::relay
