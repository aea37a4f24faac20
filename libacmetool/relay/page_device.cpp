#include <fmt/core.h>

#include "base/text.h"
#include "enrol/identity.h"
#include "relay/device_list.h"
#include "relay/page.h"

// The list of devices, and the page of one.
namespace acmetool::relay
{
namespace
{

constexpr unsigned kLinesOfPage = 50;
constexpr std::uint64_t kEventsOnPage = 30;

http::ServerResponse error_page(const PageFrame& frame, const Error& error)
{
    const bool is_question = error.code == Errc::bad_input || error.code == Errc::usage;
    return framed(frame, is_question ? 404 : 503, is_question ? "Not found" : "Not available",
                  [&](Html& html) {
                      html.open("div", {{"class", "next bad"}}).element("strong", error.message);
                      if (!error.hint.empty()) html.element("p", error.hint);
                      html.close();
                  });
}

void write_states(Html& html, std::string_view chosen)
{
    html.open("nav", {{"aria-label", "States"}}).open("ul", {{"class", "pages"}});
    for (const auto* state : {"", "pending", "failed", "issued", "expiring", "refused", "unseen"}) {
        html.open("li");
        const auto* name = *state == '\0' ? "all" : state;
        if (chosen == state)
            html.element("strong", name, {{"aria-current", "page"}});
        else
            html.link(*state == '\0' ? std::string{"/devices"} : fmt::format("/devices?state={}", state),
                      name);
        html.close();
    }
    html.close().close();
}

/// Links to the first and to the next page.
void write_turns(Html& html, const std::string& state, const DevicePage& page, const DeviceList& list)
{
    if (!page.after && !list.next) return;
    const auto target = state.empty() ? std::string{"/devices?"} : fmt::format("/devices?state={}&", state);
    html.open("nav", {{"aria-label", "Pages of the list"}}).open("ul", {{"class", "pages"}});
    if (page.after) html.open("li").link(target.substr(0, target.size() - 1), "The newest").close();
    if (list.next)
        html.open("li").link(target + "after=" + query_value(to_text(*list.next)), "Older ones").close();
    html.close().close();
}

void write_line(Html& html, const DeviceLine& line)
{
    html.open("tr", {{"role", "row"}});
    open_cell(html, "Device")
        .link("/device?id=" + query_value(line.device), line.serial.empty() ? line.device : line.serial)
        .close();
    const bool is_bad = line.standing == ra::Standing::failed || line.standing == ra::Standing::refused;
    open_cell(html, "State")
        .element("span", ra::name_of(line.standing), {{"class", is_bad ? "failed" : "state"}})
        .close();
    if (line.standing == ra::Standing::unseen)
        open_cell(html, "Since").text("never").close();
    else
        open_cell(html, "Since").time(line.since).close();
    open_cell(html, "Name").text(line.name).close();
    open_cell(html, "Note").text(line.note).close();
    html.close();
}

void write_fact(Html& html, std::string_view name, std::string_view value)
{
    if (!value.empty()) html.element("dt", name).element("dd", value);
}

std::string names_of(const std::vector<crypto::Identifier>& identifiers)
{
    std::vector<std::string> names;
    names.reserve(identifiers.size());
    for (const auto& identifier : identifiers)
        names.push_back(identifier.value);
    return base::join(names, ", ");
}

void write_orders(Html& html, const DeviceReport& report)
{
    html.element("h2", "Orders");
    if (report.orders.empty()) html.element("p", "None.", {{"class", "soft"}});
    for (const auto& order : report.orders) {
        html.element("h3",
                     fmt::format("{} {}", order.renewal ? "Renewal" : "Order", ra::name_of(order.state)));
        html.open("dl");
        html.element("dt", "since").open("dd").time(order.created).close();
        write_fact(html, "names", names_of(order.identifiers));
        write_fact(html, "at the CA", order.url);
        if (!order.request_id.empty())
            html.element("dt", "request")
                .open("dd")
                .link("/request?id=" + query_value(order.request_id), order.request_id)
                .close();
        if (order.state == ra::OrderState::failed) {
            write_fact(html, "refused",
                       fmt::format("{}: {}", enrol::name_of(order.failure.why), order.failure.text));
            html.element("dt", "next try").open("dd").time(order.until).close();
        }
        html.close();
    }
}

void write_certificates(Html& html, const DeviceReport& report, base::TimePoint now)
{
    html.element("h2", "Certificates");
    if (report.certificates.empty()) {
        html.element("p", "None.", {{"class", "soft"}});
        return;
    }
    open_table(html, "The newest first", {"Serial number", "Names", "Life", "Until"});
    for (const auto& issued : report.certificates) {
        const auto& certificate = issued.certificate;
        html.open("tr", {{"role", "row"}});
        open_cell(html, "Serial number").text(certificate.serial).close();
        open_cell(html, "Names").text(names_of(certificate.identifiers)).close();
        open_cell(html, "Life");
        if (issued.revoked)
            html.element("span", "revoked", {{"class", "failed"}}).text(" ").time(*issued.revoked);
        else
            write_life(html, certificate.serial, certificate.not_before, certificate.not_after, now);
        html.close();
        open_cell(html, "Until").time(certificate.not_after).close().close();
    }
    html.close().close();
}

void write_voucher(Html& html, const registrar::Device& voucher)
{
    html.element("h2", "Voucher");
    html.open("dl");
    write_fact(html, "state", voucher.certificate.empty() ? registrar::name_of(voucher.state) : "enrolled");
    html.element("dt", "since").open("dd").time(voucher.since).close();
    write_fact(html, "manufacturer", voucher.manufacturer);
    write_fact(html, "MASA", voucher.masa_url);
    write_fact(html, "reason", voucher.reason);
    write_fact(html, "voucher", voucher.voucher_status);
    write_fact(html, "enrolment", voucher.enroll_status);
    html.close();
}

/// Of the last request of the device that is known: one that was refused, or that of its newest order.
std::string last_request(const DeviceReport& report, const Recent& recent)
{
    auto refused = recent.refused_request_of(report.device.id);
    if (refused.empty() && !report.device.serial.empty())
        refused = recent.refused_request_of(report.device.serial);
    if (!refused.empty() || report.orders.empty()) return refused;
    return report.orders.front().request_id;
}

} // namespace

http::ServerResponse devices_page(const PageSource& source, const PageFrame& frame, const std::string& target)
{
    const auto state = query_member(target, "state");
    DevicePage page;
    page.filter.limit = kLinesOfPage;
    if (!state.empty()) {
        const auto standing = ra::standing_of(state);
        if (!standing)
            return error_page(frame, Error{.code = Errc::usage,
                                           .message = "There is no such state.",
                                           .hint = "pending, failed, issued, expiring, refused, unseen",
                                           .reason = {},
                                           .problem_type = {},
                                           .problem = {},
                                           .retry_after = {}});
        page.filter.standings = {*standing};
        page.with_refused = *standing == ra::Standing::refused;
    }
    if (const auto after = query_member(target, "after"); !after.empty()) {
        auto place = parse_cursor(after);
        if (!place) return error_page(frame, place.error());
        page.after = std::move(*place);
    }
    const auto list = list_devices(source.config, page, source.now);
    if (!list) return error_page(frame, list.error());
    return framed(frame, 200, state.empty() ? "Devices" : "Devices: " + state, [&](Html& html) {
        write_states(html, state);
        if (list->lines.empty()) {
            html.element("p", "None.", {{"class", "soft"}});
            return;
        }
        open_table(html, "The newest first", {"Device", "State", "Since", "Name", "Note"});
        for (const auto& line : list->lines)
            write_line(html, line);
        html.close().close();
        write_turns(html, state, page, *list);
    });
}

namespace
{

Result<std::vector<ra::Device>> devices_beginning_with(const PageSource& source, const std::string& serial)
{
    ACMETOOL_TRY(database, open_store(source.config));
    return ra::DeviceRecords{*database}.beginning_with(serial, kLinesOfPage + 1);
}

/// What was searched is the beginning of several serial numbers, or of one.
http::ServerResponse found_page(const PageFrame& frame, const std::string& start,
                                const std::vector<ra::Device>& found)
{
    return framed(frame, 200, "Devices: " + base::printable(start, 60), [&](Html& html) {
        open_table(html, "Serial numbers that begin so", {"Device", "Identifier"});
        for (std::size_t i = 0; i < found.size() && i < kLinesOfPage; ++i) {
            html.open("tr", {{"role", "row"}});
            open_cell(html, "Device").link("/device?id=" + query_value(found[i].id), found[i].serial).close();
            open_cell(html, "Identifier").text(found[i].id).close().close();
        }
        html.close().close();
        if (found.size() > kLinesOfPage)
            html.element("p", "There are more: search for a longer beginning.", {{"class", "soft"}});
    });
}

} // namespace

http::ServerResponse device_page(const PageSource& source, const PageFrame& frame, const std::string& id)
{
    const auto report = report_device(source.config, id, source.program, source.now);
    if (!report) {
        if (report.error().reason == Cause::unknown_device)
            if (const auto found = devices_beginning_with(source, id); found && !found->empty())
                return found_page(frame, id, *found);
        return error_page(frame, report.error());
    }
    const auto& device = report->device;
    return framed(frame, 200,
                  "Device " + base::printable(device.serial.empty() ? device.id : device.serial, 100),
                  [&](Html& html) {
                      for (const auto& sentence : report->next)
                          html.element("p", sentence, {{"class", "next"}});
                      html.open("dl");
                      write_fact(html, "identifier", device.id.empty() ? "none: never seen" : device.id);
                      write_fact(html, "manufacturer", device.manufacturer);
                      write_fact(html, "inventory", listing_text(*report));
                      write_fact(html, "names", base::join(report->names, ", "));
                      if (report->block)
                          html.element("dt", "blocked").open("dd").time(report->block->at).close();
                      html.close();
                      html.element("h2", "Its last request");
                      write_ladder(html, source.recent, last_request(*report, source.recent));
                      html.element("h2", "What happened");
                      ra::EventFilter filter;
                      filter.who = device.serial.empty() ? device.id : device.serial;
                      filter.device = device.id;
                      filter.limit = kEventsOnPage;
                      write_events(html, source, events_of(source, filter));
                      write_orders(html, *report);
                      write_certificates(html, *report, source.now);
                      if (report->voucher) write_voucher(html, *report->voucher);
                  });
}

} // namespace acmetool::relay
