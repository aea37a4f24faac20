#include "cli/chart.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "cli/flow.h"
#include "cli/inference.h"
#include "cli/ladder_page.h"

namespace acmetool::cli
{
namespace
{

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
    std::stable_sort(seen.begin(), seen.end(),
                     [](const auto& a, const auto& b) { return place_of_party(a) < place_of_party(b); });
    return seen;
}

/// With the messages that the others show, in their places.
base::Trace completed(const base::Trace& trace)
{
    base::Trace whole;
    Inference inference;
    for (const auto& entry : trace.entries) {
        for (auto& earlier : inference.before(entry.message))
            whole.entries.push_back({entry.time, std::move(earlier)});
        whole.entries.push_back(entry);
    }
    return whole;
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

base::Trace requests_of_device(base::Trace trace, const std::string& request_id)
{
    std::set<std::string> devices;
    for (const auto& [time, message] : trace.entries)
        if (message.request_id == request_id && !message.device.empty()) devices.insert(message.device);
    std::set<std::string> requests{request_id};
    for (const auto& [time, message] : trace.entries)
        if (devices.contains(message.device)) requests.insert(message.request_id);
    requests.erase("");
    std::erase_if(trace.entries, [&](const base::TraceEntry& entry) {
        return !requests.contains(entry.message.request_id);
    });
    return trace;
}

Chart chart_of(const base::Trace& seen)
{
    Chart chart;
    const auto trace = completed(seen);
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
        arrow.words = words_of(message);
        arrow.failed = base::is_failure(message);
        arrow.attempt = attempts.take(message);
        if (arrow.attempt > 1) arrow.words.push_back(fmt::format(" attempt {}", arrow.attempt));
        arrow.time = time;
        if (!chart.arrows.empty()) arrow.after = time - chart.arrows.back().time;
        arrow.message = message;
        chart.failures += arrow.failed ? 1 : 0;
        chart.arrows.push_back(std::move(arrow));
    }
    for (const auto& name : names)
        chart.parties.push_back(title_of_party(name));
    if (others) chart.parties.emplace_back(kOthers);
    return chart;
}

std::string summary_of(const Chart& chart)
{
    const auto count = [](std::size_t n, std::string_view what) {
        return fmt::format("{} {}{}", n, what, n == 1 ? "" : "s");
    };
    const auto seen = std::count_if(chart.arrows.begin(), chart.arrows.end(),
                                    [](const Arrow& arrow) { return !arrow.message.inferred; });
    auto text = count(static_cast<std::size_t>(seen), "message");
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

std::vector<std::size_t> gap_widths(const Chart& chart, std::size_t least, std::size_t most)
{
    std::vector<std::size_t> widths(chart.parties.empty() ? 0 : chart.parties.size() - 1, least);
    for (const auto& arrow : chart.arrows) {
        const auto left = std::min(arrow.from, arrow.to);
        if (left >= widths.size()) continue;
        for (const auto& text : arrow.words)
            widths[left] = std::max(widths[left], std::min(characters(text).size(), most));
    }
    return widths;
}

} // namespace acmetool::cli
