#include "relay/page_frame.h"

#include <algorithm>
#include <cstdint>

#include <fmt/core.h>

#include "base/text.h"

namespace acmetool::relay
{
namespace
{

// Nothing is fetched from elsewhere, and nothing runs.
constexpr const char* kPolicy = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
                                "base-uri 'none'; frame-ancestors 'none'";

void write_head(Html& html, const PageFrame& frame, const std::string& title)
{
    html.open("head").empty("meta", {{"charset", "utf-8"}});
    html.element("title", fmt::format("{} - {} on {}", title, frame.program, frame.host));
    html.empty("meta", {{"name", "viewport"}, {"content", "width=device-width, initial-scale=1"}});
    html.empty("meta", {{"name", "color-scheme"}, {"content", "light dark"}});
    html.empty("link", {{"rel", "stylesheet"}, {"href", "/style.css"}});
    html.empty("link", {{"rel", "icon"}, {"href", "/icon.svg"}, {"type", "image/svg+xml"}});
    html.close();
}

void write_header(Html& html, const PageFrame& frame)
{
    html.element("a", "Skip to the content", {{"class", "skip"}, {"href", "#content"}});
    html.open("header");
    html.open("p", {{"class", "relay"}});
    html.element("strong", frame.program).text(" on " + frame.host).close();
    html.open("nav", {{"aria-label", "Pages"}}).open("ul");
    for (const auto& [target, name] : {std::pair{"/", "Overview"}, std::pair{"/devices", "Devices"}})
        html.open("li").link(target, name).close();
    html.close().close();
    html.open("form", {{"action", "/device"}, {"method", "get"}, {"role", "search"}});
    html.element("label", "Find a device", {{"for", "device"}});
    html.empty("input", {{"id", "device"},
                         {"name", "id"},
                         {"type", "search"},
                         {"required", "required"},
                         {"autocomplete", "off"},
                         {"placeholder", "serial number, name, request id"}});
    html.element("button", "Find", {{"type", "submit"}});
    html.close().close();
}

} // namespace

http::ServerResponse framed(const PageFrame& frame, int status, const std::string& title,
                            const std::function<void(Html&)>& content)
{
    Html html;
    html.open("html", {{"lang", "en"}});
    write_head(html, frame, title);
    html.open("body");
    write_header(html, frame);
    html.open("main", {{"id", "content"}}).element("h1", title);
    content(html);
    html.close();
    html.open("footer").open("p").text("As of ").time(frame.now).text(" UTC. It does not change by itself: ");
    html.text("load the page again.").close();
    return {status,
            {{"Content-Type", "text/html; charset=utf-8"},
             {"Content-Security-Policy", kPolicy},
             {"Referrer-Policy", "no-referrer"}},
            "<!DOCTYPE html>\n" + html.take(),
            false};
}

void write_life(Html& html, const std::string& what, base::TimePoint begin, base::TimePoint end,
                base::TimePoint now)
{
    const auto words = end <= now ? fmt::format("expired {} ago", base::describe(now - end))
                                  : base::describe(end - now) + " left";
    if (begin < end) {
        const auto life = (end - begin).count();
        const auto left = std::clamp<std::int64_t>((end - now).count(), 0, life);
        // Less than a third is low.
        html.open("meter", {{"min", "0"},
                            {"max", std::to_string(life)},
                            {"low", std::to_string(life / 3)},
                            {"high", std::to_string(life / 3)},
                            {"optimum", std::to_string(life)},
                            {"value", std::to_string(left)},
                            {"aria-label", fmt::format("{}: {}", what, words)}});
        html.text(words).close();
    }
    html.element("span", words, {{"class", "left"}});
}

void open_table(Html& html, std::string_view caption, std::initializer_list<std::string_view> heads)
{
    // The roles stay where a narrow screen shows the rows as blocks.
    html.open("table", {{"role", "table"}}).element("caption", caption);
    html.open("thead", {{"role", "rowgroup"}}).open("tr", {{"role", "row"}});
    for (const auto head : heads)
        html.element("th", head, {{"scope", "col"}, {"role", "columnheader"}});
    html.close().close();
    html.open("tbody", {{"role", "rowgroup"}});
}

Html& open_cell(Html& html, std::string_view head)
{
    return html.open("td", {{"role", "cell"}, {"data-head", std::string{head}}});
}

std::string_view page_style()
{
    static constexpr std::string_view kStyle = R"(:root {
    color-scheme: light dark;
    --paper: #fff; --ink: #1b1d22; --soft: #5a606b; --line: #d5d9e0; --band: #f4f6f9;
    --link: #0b57a4; --good: #17692b; --goodback: #e8f5eb; --bad: #a61b14; --badback: #fdeceb;
}
@media (prefers-color-scheme: dark) {
    :root {
        --paper: #16181d; --ink: #e6e8ec; --soft: #a4abb8; --line: #3a3f4a; --band: #1f2229;
        --link: #8ab8ff; --good: #7fd694; --goodback: #16301d; --bad: #ff9d96; --badback: #3b1a19;
    }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 72rem; padding: 0 1rem 2rem; background: var(--paper); color: var(--ink);
    font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: break-word; }
a { color: var(--link); }
a:focus-visible, button:focus-visible, input:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
.skip { position: absolute; left: -99rem; }
.skip:focus { left: 1rem; top: .5rem; background: var(--paper); padding: .5rem; }
header { display: flex; flex-wrap: wrap; align-items: center; gap: .5rem 1.5rem; padding: .75rem 0;
    border-bottom: 1px solid var(--line); }
header p, header ul { margin: 0; padding: 0; }
header ul { display: flex; gap: 1rem; list-style: none; }
form { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; margin-left: auto; }
input, button { font: inherit; padding: .3rem .6rem; border: 1px solid var(--soft); border-radius: .3rem;
    background: var(--paper); color: var(--ink); }
input { width: 17rem; max-width: 100%; }
h1 { font-size: 1.5rem; margin: 1.25rem 0 .75rem; }
h2 { font-size: 1.15rem; margin: 1.75rem 0 .5rem; }
h3 { font-size: 1rem; margin: 1rem 0 .25rem; }
.health, .next { padding: .6rem .9rem; border-left: .4rem solid var(--link); background: var(--band);
    margin: 0 0 .75rem; }
.health { border-color: var(--good); background: var(--goodback); }
.bad { border-color: var(--bad); background: var(--badback); }
.bad strong, .failed { color: var(--bad); }
.soft, time, .left { color: var(--soft); }
.left { margin-left: .5rem; }
.counts { display: flex; flex-wrap: wrap; gap: .75rem; list-style: none; padding: 0; margin: 0 0 .75rem; }
.counts li { border: 1px solid var(--line); border-radius: .4rem; padding: .4rem .9rem; background: var(--band); }
.counts strong { font-size: 1.3rem; }
table { width: 100%; border-collapse: collapse; }
caption { text-align: left; color: var(--soft); padding-bottom: .3rem; }
th, td { text-align: left; vertical-align: top; padding: .4rem .6rem .4rem 0; border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 600; white-space: nowrap; }
td { overflow-wrap: anywhere; }
td time, td[data-head="Cause"], td[data-head="State"], td[data-head="Times"], td[data-head="Life"] {
    overflow-wrap: normal; white-space: nowrap; }
dl { display: grid; grid-template-columns: minmax(7rem, max-content) minmax(0, 1fr); gap: .25rem 1rem; margin: 0; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
meter { width: 9rem; max-width: 100%; height: 1rem; vertical-align: middle; }
figure { margin: 0; overflow-x: auto; }
figure img { display: block; border: 1px solid var(--line); }
pre { overflow-x: auto; background: var(--band); padding: .75rem; font-size: .85rem; overflow-wrap: normal; }
.pages { display: flex; flex-wrap: wrap; gap: .25rem 1.5rem; padding: 0; list-style: none; }
footer { margin-top: 2rem; border-top: 1px solid var(--line); color: var(--soft); font-size: .9rem; }
td[data-head="Who"], td[data-head="Device"] { min-width: 8rem; }
@media (max-width: 42rem) {
    form { margin-left: 0; width: 100%; }
    form label { width: 100%; }
    input { flex: 1; width: auto; }
    thead { position: absolute; left: -99rem; }
    table, caption, tbody, tr, td { display: block; }
    tr { border-bottom: 1px solid var(--line); padding: .5rem 0; }
    td { border: 0; padding: .1rem 0; }
    td[data-head]::before { content: attr(data-head) ": "; color: var(--soft); }
    dl { grid-template-columns: minmax(0, 1fr); gap: 0; }
    dd { margin-bottom: .5rem; }
}
)";
    return kStyle;
}

} // namespace acmetool::relay
