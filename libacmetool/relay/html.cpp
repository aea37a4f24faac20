#include "relay/html.h"

#include <algorithm>

#include <fmt/core.h>

#include "base/hex.h"
#include "base/markup.h"
#include "base/text.h"

namespace acmetool::relay
{

void Html::begin(std::string_view tag, Attributes attributes)
{
    out_ += fmt::format("<{}", tag);
    for (const auto& [name, value] : attributes)
        out_ += fmt::format(" {}=\"{}\"", name, base::escape_markup(value));
}

Html& Html::open(std::string_view tag, Attributes attributes)
{
    begin(tag, attributes);
    out_ += '>';
    open_.push_back(tag);
    return *this;
}

Html& Html::close()
{
    out_ += fmt::format("</{}>\n", open_.back());
    open_.pop_back();
    return *this;
}

Html& Html::text(std::string_view text)
{
    out_ += base::escape_markup(text);
    return *this;
}

Html& Html::text_break()
{
    out_ += '\n';
    return *this;
}

Html& Html::element(std::string_view tag, std::string_view text, Attributes attributes)
{
    return open(tag, attributes).text(text).close();
}

Html& Html::empty(std::string_view tag, Attributes attributes)
{
    begin(tag, attributes);
    out_ += "/>\n";
    return *this;
}

Html& Html::time(base::TimePoint time)
{
    auto shown = base::to_rfc3339(time);
    const auto machine = shown;
    shown[shown.find('T')] = ' ';
    shown.pop_back();
    return element("time", shown, {{"datetime", machine}});
}

Html& Html::link(const std::string& target, std::string_view text)
{
    return element("a", text, {{"href", target}});
}

std::string Html::take()
{
    while (!open_.empty())
        close();
    return std::move(out_);
}

std::string query_value(std::string_view text)
{
    constexpr std::string_view kPlain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    std::string out;
    for (const char octet : text)
        out += kPlain.find(octet) != std::string_view::npos
                   ? std::string(1, octet)
                   : fmt::format("%{:02X}", static_cast<unsigned char>(octet));
    return out;
}

std::string query_member(std::string_view target, std::string_view name)
{
    const auto question = target.find('?');
    if (question == std::string_view::npos) return {};
    for (const auto member : base::split(target.substr(question + 1), '&')) {
        if (member.substr(0, member.find('=')) != name) continue;
        auto value = member.substr(std::min(name.size() + 1, member.size()));
        std::string decoded;
        while (!value.empty()) {
            if (value.front() == '%') {
                const auto octet = value.size() < 3 ? std::nullopt : base::parse_hex(value.substr(1, 2));
                if (!octet) return {};
                decoded += static_cast<char>(octet->front());
                value.remove_prefix(3);
                continue;
            }
            decoded += value.front() == '+' ? ' ' : value.front();
            value.remove_prefix(1);
        }
        return decoded;
    }
    return {};
}

} // namespace acmetool::relay
