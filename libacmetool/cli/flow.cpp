#include "cli/flow.h"

#include <array>
#include <span>
#include <vector>

#include <fmt/core.h>

namespace acmetool::cli
{
namespace
{

struct Column {
    std::string_view party;
    std::string_view title;
    std::size_t at;
};
constexpr std::array<Column, 3> kAcme{{{"client", "Client", 5}, {"acme", "ACME", 34}, {"dns", "DNS", 63}}};
constexpr std::array<Column, 2> kEst{{{"client", "Client", 5}, {"est", "EST RA", 44}}};
constexpr std::array<Column, 2> kTeap{{{"client", "Peer", 5}, {"teap", "TEAP server", 74}}};
constexpr std::array<Column, 4> kRelay{
    {{"client", "Device", 5}, {"ra", "RA", 34}, {"acme", "ACME", 63}, {"dns", "DNS", 92}}};
using Columns = std::span<const Column>;

std::size_t column_of(Columns columns, const std::string& party)
{
    for (std::size_t i = 0; i < columns.size(); ++i)
        if (columns[i].party == party) return i;
    return columns.size() - 1; // a hook or a web server is drawn in place of DNS
}

/// A line with the verticals, and `text` written from `from` on.
std::string line_with(Columns columns, std::string_view text, std::size_t from)
{
    std::string line(columns.back().at + 1, ' ');
    for (const auto& column : columns)
        line[column.at] = '|';
    if (from + text.size() > line.size()) line.resize(from + text.size(), ' ');
    line.replace(from, text.size(), text);
    return line + "\n";
}

/// Lines of at most `room` characters, if `text` has enough spaces.
std::vector<std::string> folded(std::string text, std::size_t room)
{
    std::vector<std::string> lines;
    while (text.size() > room) {
        const auto at = text.rfind(' ', room);
        if (at == std::string::npos || at < 2) break; // what is left are the spaces that it is set in by
        lines.push_back(text.substr(0, at));
        text = " " + text.substr(at);
    }
    lines.push_back(std::move(text));
    return lines;
}

} // namespace

std::string Ladder::draw(const base::Message& message)
{
    const bool est = message.from == "est" || message.to == "est";
    const bool teap = message.from == "teap" || message.to == "teap";
    const bool relay = message.from == "ra" || message.to == "ra";
    const Columns columns = relay  ? Columns{kRelay}
                            : est  ? Columns{kEst}
                            : teap ? Columns{kTeap}
                                   : Columns{kAcme};
    std::string out;
    if (!begun_) {
        std::string head(columns.back().at + 10, ' ');
        for (const auto& column : columns)
            head.replace(column.at - 2, column.title.size(), column.title);
        out += head + "\n" + line_with(columns, "", 0);
        begun_ = true;
    }
    const auto from = column_of(columns, message.from);
    const auto to = column_of(columns, message.to);
    const auto left = columns[std::min(from, to)].at;
    const auto right = columns[std::max(from, to)].at;
    const std::size_t room = right > left ? right - left - 2 : 20;
    const auto fit = [&](std::string text) {
        if (text.size() > room) text = text.substr(0, room - 2) + "..";
        return text;
    };
    for (const auto& line : folded(message.label, room))
        out += line_with(columns, fit(line), left + 2);
    if (!message.detail.empty())
        out += line_with(columns, fit(fmt::format(" \"{}\"", message.detail)), left + 2);
    if (left == right) return out + line_with(columns, "", 0);
    std::string arrow(right - left - 1, '-');
    (from < to ? arrow.back() : arrow.front()) = from < to ? '>' : '<';
    return out + line_with(columns, arrow, left + 1) + line_with(columns, "", 0);
}

} // namespace acmetool::cli
