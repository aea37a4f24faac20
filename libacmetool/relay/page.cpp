#include "relay/page.h"

#include <algorithm>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/base64url.h"
#include "base/text.h"
#include "cli/chart.h"
#include "crypto/digest.h"
#include "relay/event_text.h"

namespace acmetool::relay
{
namespace
{

/// A shield, which browsers ask for.
constexpr std::string_view kIcon =
    "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 16 16\"><path fill=\"#3a7bd5\" "
    "d=\"M8 1 14 3v5c0 4-3 6-6 7-3-1-6-3-6-7V3z\"/></svg>\n";

std::string path_of(const std::string& target)
{
    return target.substr(0, target.find('?'));
}

/// Only what the drawing itself says of its colours.
std::string policy_of_drawings()
{
    const auto style = cli::page_svg_style();
    return fmt::format("default-src 'none'; style-src 'sha256-{}'; frame-ancestors 'none'",
                       base::to_base64(crypto::sha256(as_bytes(style))));
}

} // namespace

bool is_page(const std::string& target)
{
    const auto path = path_of(target);
    constexpr std::string_view kPaths[] = {"/",           "/devices",   "/device",  "/request",
                                           "/ladder.svg", "/style.css", "/icon.svg"};
    return std::find(std::begin(kPaths), std::end(kPaths), path) != std::end(kPaths);
}

http::ServerResponse page_for(const PageSource& source, const std::string& target)
{
    const auto path = path_of(target);
    const PageFrame frame{source.program, source.host, source.now};
    if (path == "/style.css")
        return {200, {{"Content-Type", "text/css; charset=utf-8"}}, std::string{page_style()}, false};
    if (path == "/icon.svg") return {200, {{"Content-Type", "image/svg+xml"}}, std::string{kIcon}, false};
    if (path == "/ladder.svg") return ladder_image(source, query_member(target, "request"));
    if (path == "/devices") return devices_page(source, frame, target);
    if (path == "/device") return device_page(source, frame, query_member(target, "id"));
    if (path == "/request") return request_page(source, frame, query_member(target, "id"));
    return overview_page(source, frame);
}

http::ServerResponse ladder_image(const PageSource& source, const std::string& id)
{
    const auto trace = source.recent.trace_of(id);
    if (trace.entries.empty())
        return {404, {{"Content-Type", "text/plain"}}, "nothing is remembered of this request\n", false};
    return {200,
            {{"Content-Type", "image/svg+xml"}, {"Content-Security-Policy", policy_of_drawings()}},
            cli::draw_page_svg(cli::chart_of(trace)),
            false};
}

void write_ladder(Html& html, const Recent& recent, const std::string& request_id)
{
    const auto trace = recent.trace_of(request_id);
    if (trace.entries.empty()) {
        html.element("p",
                     "No messages are remembered: this relay did not see the request, or it was long ago.",
                     {{"class", "soft"}});
        return;
    }
    const auto chart = cli::chart_of(trace);
    html.open("figure");
    html.empty("img", {{"src", "/ladder.svg?request=" + query_value(request_id)},
                       {"alt", "The messages, which stand below as text: " + cli::summary_of(chart)}});
    html.close();
    html.open("details").element("summary", "The same as text");
    html.open("pre");
    const auto drawing = cli::draw_text(chart);
    for (const auto line : base::split(drawing, '\n'))
        html.text(line).text_break();
    html.close().close();
}

Result<std::vector<ra::Event>> events_of(const PageSource& source, const ra::EventFilter& filter)
{
    ACMETOOL_TRY(database, open_store(source.config));
    return ra::EventRecords{*database}.list(filter);
}

void write_events(Html& html, const PageSource& source, const Result<std::vector<ra::Event>>& events)
{
    if (!events) {
        html.element("p", "The events cannot be read: " + events.error().message, {{"class", "next bad"}});
        return;
    }
    if (events->empty()) {
        html.element("p", "The database keeps no events of it.", {{"class", "soft"}});
        return;
    }
    open_table(html, "The newest first", {"At", "What", "Why", "Request"});
    for (const auto& event : *events) {
        html.open("tr", {{"role", "row"}});
        open_cell(html, "At").time(std::chrono::floor<std::chrono::seconds>(event.at)).close();
        open_cell(html, "What")
            .element("span", heading_of(event), {{"class", is_bad(event) ? "failed" : "state"}});
        if (event.times > 1) html.text(fmt::format(", {} times", event.times));
        html.close();
        open_cell(html, "Why").text(sentence_of(event));
        if (const auto advice = advice_for(event, source.program); !advice.empty())
            html.element("p", advice, {{"class", "soft"}});
        html.close();
        open_cell(html, "Request");
        if (!event.request_id.empty())
            html.link("/request?id=" + query_value(event.request_id), event.request_id);
        html.close().close();
    }
    html.close().close();
}

http::ServerResponse request_page(const PageSource& source, const PageFrame& frame, const std::string& id)
{
    const auto refusals = source.recent.refusals();
    const auto found = std::find_if(refusals.begin(), refusals.end(),
                                    [&](const auto& one) { return !id.empty() && one.request_id == id; });
    ra::EventFilter filter;
    filter.request_id = id;
    const auto events = id.empty() ? Result<std::vector<ra::Event>>{} : events_of(source, filter);
    const bool is_known = found != refusals.end() || (events && !events->empty()) ||
                          !source.recent.trace_of(id).entries.empty();
    return framed(frame, is_known ? 200 : 404, "Request " + base::printable(id, 60), [&](Html& html) {
        if (found != refusals.end()) {
            html.open("p", {{"class", "next bad"}}).element("strong", "Refused (" + found->cause + "): ");
            html.text(found->text).close();
            html.open("dl");
            html.element("dt", "at").open("dd").time(found->at).close();
            if (!found->device.empty())
                html.element("dt", "device")
                    .open("dd")
                    .link("/device?id=" + query_value(found->device), found->device)
                    .close();
            if (!found->address.empty()) html.element("dt", "address").element("dd", found->address);
            html.close();
        }
        html.element("h2", "What happened");
        write_events(html, source, events);
        html.element("h2", "Its messages");
        write_ladder(html, source.recent, id);
    });
}

} // namespace acmetool::relay
