#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace acmetool::base
{

/// `text` in lines of at most `width` characters, broken only at spaces: whoever copies a URL, an identifier
/// or a serial number copies all of it, though it may be longer than the line.
inline std::vector<std::string> folded(std::string_view text, std::size_t width)
{
    std::vector<std::string> lines;
    while (!text.empty()) {
        auto end = text.size();
        if (end > width) {
            end = text.rfind(' ', width);
            if (end == std::string_view::npos || end == 0) end = text.find(' ', 1);
            if (end == std::string_view::npos) end = text.size();
        }
        lines.emplace_back(text.substr(0, end));
        text.remove_prefix(end < text.size() ? end + 1 : end);
    }
    return lines;
}

} // namespace acmetool::base
