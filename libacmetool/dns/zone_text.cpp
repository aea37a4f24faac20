#include "dns/zone_text.h"

#include <fmt/core.h>

namespace acmetool::dns
{

std::string quoted(std::string_view text)
{
    std::string out = "\"";
    for (const char c : text) {
        const auto octet = static_cast<unsigned char>(c);
        if (octet < 0x20 || octet > 0x7e) {
            out += fmt::format("\\{:03}", octet);
            continue;
        }
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out + '"';
}

std::string txt_strings(std::string_view text)
{
    constexpr std::size_t kLongestString = 255;
    auto out = quoted(text.substr(0, kLongestString));
    for (std::size_t at = kLongestString; at < text.size(); at += kLongestString)
        out += " " + quoted(text.substr(at, kLongestString));
    return out;
}

} // namespace acmetool::dns
