#include <algorithm>
#include <map>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "enrol/identity.h"
#include "relay/device_list.h"
#include "relay/health.h"
#include "relay/page.h"

// The first page: is anything wrong at all?
namespace acmetool::relay
{
namespace
{

using base::Json;

constexpr std::size_t kShownRefusals = 15;

std::optional<base::TimePoint> time_member(const Json& object, const char* name)
{
    const auto text = base::string_member(object, name);
    if (!text) return std::nullopt;
    const auto time = base::parse_rfc3339(*text);
    return time ? std::optional{*time} : std::nullopt;
}

const Json& object_member(const Json& object, const char* name)
{
    static const Json kNone = Json::object();
    const auto found = object.find(name);
    return found != object.end() && found->is_object() ? *found : kNone;
}

void write_trouble(Html& html, const Trouble& trouble)
{
    html.element("strong", trouble.text);
    if (!trouble.next.empty()) html.text(" ").element("span", "next: " + trouble.next);
}

void write_health(Html& html, const std::vector<Trouble>& troubles)
{
    if (troubles.empty()) {
        html.open("p", {{"class", "health"}})
            .element("strong", "Well.")
            .text(" Nothing is known to be wrong.");
        html.close();
        return;
    }
    html.open("div", {{"class", "health bad"}, {"role", "alert"}});
    html.open("p");
    write_trouble(html, troubles.front());
    html.close();
    if (troubles.size() > 1) {
        html.open("ul");
        for (auto one = troubles.begin() + 1; one != troubles.end(); ++one) {
            html.open("li");
            write_trouble(html, *one);
            html.close();
        }
        html.close();
    }
    html.close();
}

void write_authorizations(Html& html, const Json& status, base::TimePoint now)
{
    const auto& domains = object_member(object_member(status, "issuer"), "authorizations");
    html.element("h2", "Authorizations");
    if (domains.empty()) {
        html.element("p", "The issuer is a program: it keeps them.", {{"class", "soft"}});
        return;
    }
    open_table(html, "What the CA lets this relay certify", {"Domain", "State", "Life", "Until"});
    for (const auto& [name, domain] : domains.items()) {
        html.open("tr", {{"role", "row"}});
        open_cell(html, "Domain").text(name).close();
        const auto state = base::string_member(domain, "status");
        open_cell(html, "State")
            .text(state                                              ? *state
                  : base::bool_member(domain, "preauthorize", false) ? "not authorized yet"
                                                                     : "with each order")
            .close();
        const auto expires = time_member(domain, "expires");
        open_cell(html, "Life");
        if (expires)
            write_life(html, name, time_member(domain, "obtained").value_or(*expires), *expires, now);
        html.close();
        open_cell(html, "Until");
        if (expires) html.time(*expires);
        html.close().close();
    }
    html.close().close();
}

void write_certificates(Html& html, const std::vector<OwnCertificate>& own, base::TimePoint now)
{
    html.element("h2", "Certificates of the relay and of the CA");
    open_table(html, "When they end", {"Certificate", "Life", "Until"});
    for (const auto& one : own) {
        html.open("tr", {{"role", "row"}});
        open_cell(html, "Certificate").text(one.what).close();
        open_cell(html, "Life");
        write_life(html, one.what, one.not_before, one.not_after, now);
        html.close();
        open_cell(html, "Until").time(one.not_after).close().close();
    }
    html.close().close();
}

void write_counts(Html& html, const DeviceList& list)
{
    html.open("ul", {{"class", "counts"}});
    for (const auto& standing :
         {ra::Standing::pending, ra::Standing::failed, ra::Standing::issued, ra::Standing::expiring}) {
        const auto found = list.counts.find(standing);
        const auto count = found == list.counts.end() ? 0 : found->second;
        html.open("li").element("strong", std::to_string(count)).text(" ");
        html.link(fmt::format("/devices?state={}", ra::name_of(standing)), ra::name_of(standing)).close();
    }
    html.close();
    if (list.awaiting_voucher + list.without_voucher > 0)
        html.element("p", fmt::format("{} wait for a voucher, {} were refused one.", list.awaiting_voucher,
                                      list.without_voucher));
}

void write_devices(Html& html, const PageSource& source)
{
    html.element("h2", "Devices, by their newest order");
    DevicePage page;
    page.filter.limit = 1;
    if (const auto list = list_devices(source.config, page, source.now))
        write_counts(html, *list);
    else
        html.element("p", "They cannot be counted: " + list.error().message, {{"class", "health bad"}});
}

/// Of one cause and one device, or whoever it was.
struct RefusalLine {
    RecentRefusal last;
    unsigned times = 1;
};

std::vector<RefusalLine> lines_of(const std::vector<RecentRefusal>& refusals)
{
    std::vector<RefusalLine> lines;
    for (const auto& one : refusals) { // newest first
        const auto known = std::find_if(lines.begin(), lines.end(), [&](const auto& line) {
            return line.last.cause == one.cause && line.last.who == one.who;
        });
        if (known != lines.end())
            ++known->times;
        else if (lines.size() < kShownRefusals)
            lines.push_back({one});
    }
    return lines;
}

/// Without the digest of its manufacturer's key, which its page has.
std::string short_name(const std::string& device)
{
    const auto parts = enrol::parse_qualified_serial(device);
    return parts && enrol::is_anchor_digest(parts->whose) ? parts->serial : device;
}

void write_refusal(Html& html, const RefusalLine& line)
{
    const auto& last = line.last;
    html.open("tr", {{"role", "row"}});
    open_cell(html, "Last").time(last.at).close();
    open_cell(html, "Times").text(std::to_string(line.times)).close();
    open_cell(html, "Cause").text(last.cause).close();
    open_cell(html, "Who");
    if (!last.device.empty())
        html.link("/device?id=" + query_value(last.device), short_name(last.who));
    else
        html.text(last.who);
    html.close();
    open_cell(html, "Why");
    if (!last.request_id.empty())
        html.link("/request?id=" + query_value(last.request_id), last.text.empty() ? "messages" : last.text);
    else
        html.text(last.text);
    html.close().close();
}

void write_refusals(Html& html, const PageSource& source)
{
    html.element("h2", "Refusals since the start");
    const auto counts = source.recent.refused();
    if (counts.empty()) {
        html.element("p", "None.", {{"class", "soft"}});
        return;
    }
    html.open("ul", {{"class", "counts"}});
    for (const auto& [cause, count] : counts)
        html.open("li").element("strong", std::to_string(count)).text(" " + cause).close();
    html.close();
    open_table(html, "The last ones, by cause and device", {"Last", "Times", "Cause", "Who", "Why"});
    for (const auto& line : lines_of(source.recent.refusals()))
        write_refusal(html, line);
    html.close().close();
}

} // namespace

http::ServerResponse overview_page(const PageSource& source, const PageFrame& frame)
{
    const auto health = source.health();
    return framed(frame, 200, "Overview", [&](Html& html) {
        write_health(html, troubles_in(health.status, source.program, source.now));
        write_devices(html, source);
        write_refusals(html, source);
        write_authorizations(html, health.status, source.now);
        write_certificates(html, health.own, source.now);
    });
}

} // namespace acmetool::relay
