#include "base/markup.h"

#include "base/text.h"

namespace acmetool::base
{
namespace
{

/// U+FFFE and U+FFFF, which are UTF-8 and no characters of XML 1.0.
constexpr std::string_view kForbidden[] = {"\xEF\xBF\xBE", "\xEF\xBF\xBF"};

} // namespace

std::string escape_markup(std::string_view text)
{
    const auto shown = printable(text, text.size());
    std::string out;
    out.reserve(shown.size());
    for (std::size_t at = 0; at < shown.size(); ++at) {
        const auto next = std::string_view{shown}.substr(at, 3);
        if (next == kForbidden[0] || next == kForbidden[1]) {
            out += '?';
            at += 2;
            continue;
        }
        switch (shown[at]) {
        case '&':
            out += "&amp;";
            break;
        case '<':
            out += "&lt;";
            break;
        case '>':
            out += "&gt;";
            break;
        case '"':
            out += "&quot;";
            break;
        case '\'':
            out += "&#39;";
            break;
        default:
            out += shown[at];
        }
    }
    return out;
}

} // namespace acmetool::base
