#include "acme-trace/chart.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

namespace acmetool::cli
{
namespace
{

struct Party {
    std::string_view name;
    std::string_view title;
};
/// From left to right. Parties with other names are drawn to the right of these.
constexpr std::array<Party, 9> kParties{{{"client", "Client"},
                                         {"est", "EST RA"},
                                         {"teap", "TEAP server"},
                                         {"ra", "RA"},
                                         {"acme", "ACME"},
                                         {"masa", "MASA"},
                                         {"dns", "DNS"},
                                         {"web", "Web"},
                                         {"hook", "Hook"}}};
constexpr std::size_t kMostParties = 12; // a file with more is not a trace of ours
constexpr std::string_view kOthers = "others";

/// The names in the trace, from left to right.
std::vector<std::string> names_in(const base::Trace& trace)
{
    std::vector<std::string> seen;
    for (const auto& entry : trace.entries)
        for (const auto& name : {entry.message.from, entry.message.to})
            if (seen.size() < kMostParties && std::find(seen.begin(), seen.end(), name) == seen.end())
                seen.push_back(name);
    const auto rank = [](const std::string& name) {
        const auto* const known =
            std::find_if(kParties.begin(), kParties.end(), [&](const Party& p) { return p.name == name; });
        return known - kParties.begin();
    };
    std::stable_sort(seen.begin(), seen.end(),
                     [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
    return seen;
}

std::string title_of(const std::string& name)
{
    for (const auto& party : kParties)
        if (party.name == name) return std::string{party.title};
    return name;
}

/// Counts the attempts at a request that was refused before.
class Attempts
{
public:
    unsigned take(const base::Message& message)
    {
        const auto& open = open_.find({message.to, message.from});
        if (open != open_.end() && !is_request(message)) {
            auto& refused = refused_[open->second];
            refused = base::is_failure(message) ? refused + 1 : 0;
            open_.erase(open);
            return 1;
        }
        if (!is_request(message)) return 1;
        const auto what = message.label + "\n" + message.detail + "\n" + message.url;
        open_[{message.from, message.to}] = what;
        const auto refused = refused_.find(what);
        return refused == refused_.end() ? 1 : refused->second + 1;
    }

private:
    static bool is_request(const base::Message& message) { return !message.method.empty(); }

    std::map<std::pair<std::string, std::string>, std::string> open_;
    std::map<std::string, unsigned> refused_;
};

} // namespace

Chart chart_of(const base::Trace& trace)
{
    Chart chart;
    auto names = names_in(trace);
    bool others = false;
    const auto index_of = [&](const std::string& name) {
        const auto found = std::find(names.begin(), names.end(), name);
        others = others || found == names.end();
        return static_cast<std::size_t>(found - names.begin());
    };
    Attempts attempts;
    for (const auto& [time, message] : trace.entries) {
        Arrow arrow;
        arrow.from = index_of(message.from);
        arrow.to = index_of(message.to);
        arrow.label = message.label;
        if (message.took) arrow.label += fmt::format(" ({} ms)", message.took->count());
        arrow.detail = message.detail;
        arrow.failed = base::is_failure(message);
        arrow.attempt = attempts.take(message);
        arrow.time = time;
        if (!chart.arrows.empty()) arrow.after = time - chart.arrows.back().time;
        arrow.message = message;
        chart.failures += arrow.failed ? 1 : 0;
        chart.arrows.push_back(std::move(arrow));
    }
    for (const auto& name : names)
        chart.parties.push_back(title_of(name));
    if (others) chart.parties.emplace_back(kOthers);
    return chart;
}

std::string summary_of(const Chart& chart)
{
    const auto count = [](std::size_t n, std::string_view what) {
        return fmt::format("{} {}{}", n, what, n == 1 ? "" : "s");
    };
    auto text = count(chart.arrows.size(), "message");
    if (!chart.arrows.empty()) {
        const auto took = chart.arrows.back().time - chart.arrows.front().time;
        if (took.count() > 0) text += " in " + base::describe(took);
    }
    return text + ", " + (chart.failures == 0 ? "no failure" : count(chart.failures, "failure"));
}

base::Json to_json(const Chart& chart)
{
    auto messages = base::Json::array();
    for (const auto& arrow : chart.arrows) {
        auto object = base::to_json(arrow.message, arrow.time);
        object["failed"] = arrow.failed;
        object["attempt"] = arrow.attempt;
        messages.push_back(std::move(object));
    }
    return messages;
}

std::vector<std::string_view> characters(std::string_view text)
{
    std::vector<std::string_view> found;
    while (!text.empty()) {
        std::size_t size = 1;
        while (size < text.size() && (static_cast<unsigned char>(text[size]) & 0xC0U) == 0x80U)
            ++size;
        found.push_back(text.substr(0, size));
        text.remove_prefix(size);
    }
    return found;
}

std::vector<std::string> wrap(std::string_view text, std::size_t width)
{
    const auto all = characters(text);
    std::vector<std::string> lines;
    for (std::size_t begin = 0; begin < all.size();) {
        std::size_t end = std::min(begin + width, all.size());
        if (end < all.size())
            for (std::size_t i = end; i > begin + width / 2; --i)
                if (all[i] == " ") {
                    end = i;
                    break;
                }
        std::string line;
        for (std::size_t i = begin; i < end; ++i)
            line += all[i];
        lines.push_back(std::move(line));
        begin = end < all.size() && all[end] == " " ? end + 1 : end;
    }
    return lines;
}

std::vector<std::string> words_of(const Arrow& arrow)
{
    std::vector<std::string> words{arrow.label};
    if (!arrow.detail.empty())
        words.push_back(arrow.failed ? " " + arrow.detail : fmt::format(" \"{}\"", arrow.detail));
    if (arrow.attempt > 1) words.push_back(fmt::format(" attempt {}", arrow.attempt));
    return words;
}

std::vector<std::size_t> gap_widths(const Chart& chart, std::size_t least, std::size_t most)
{
    std::vector<std::size_t> widths(chart.parties.empty() ? 0 : chart.parties.size() - 1, least);
    for (const auto& arrow : chart.arrows) {
        const auto left = std::min(arrow.from, arrow.to);
        if (left >= widths.size()) continue;
        for (const auto& text : words_of(arrow))
            widths[left] = std::max(widths[left], std::min(characters(text).size(), most));
    }
    return widths;
}

} // namespace acmetool::cli
