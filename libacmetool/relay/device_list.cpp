#include "relay/device_list.h"

#include <algorithm>
#include <set>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/base64url.h"
#include "base/text.h"
#include "enrol/identity.h"
#include "ra/event_records.h"
#include "ra/inventory_records.h"
#include "registrar/records.h"
#include "relay/device_files.h"
#include "relay/device_report.h"
#include "relay/screen.h"

namespace acmetool::relay
{
namespace
{

constexpr ra::Standing kAllStandings[] = {ra::Standing::pending, ra::Standing::failed, ra::Standing::issued,
                                          ra::Standing::expiring};

std::string note_of(const ra::ListedDevice& device, base::TimePoint now)
{
    const auto what = device.renewal ? "renewal, " : "";
    if (device.is_revoked) return "the certificate is revoked";
    switch (device.standing) {
    case ra::Standing::pending:
        return what + (device.url.empty() ? std::string{"not at the CA yet"} : "at " + device.url);
    case ra::Standing::failed:
        return fmt::format("{}{}: {}{}", what, enrol::name_of(device.failure.why), device.failure.text,
                           now < device.until ? "; next try " + base::to_rfc3339(device.until) : "");
    case ra::Standing::issued:
    case ra::Standing::expiring:
    case ra::Standing::refused: // of which no order tells
    case ra::Standing::unseen:
        break;
    }
    return fmt::format("{} {}", now < device.until ? "until" : "expired", base::to_rfc3339(device.until));
}

DeviceLine line_of(const ra::ListedDevice& device, base::TimePoint now)
{
    return {ListedBy::order,
            device.device.id,
            device.device.id,
            device.device.serial,
            device.standing,
            device.since,
            device.identifiers.empty() ? std::string{} : device.identifiers.front().value,
            note_of(device, now)};
}

DeviceLine line_of(const registrar::Device& asked)
{
    const bool is_refused = asked.state == registrar::State::refused;
    return {is_refused ? ListedBy::refused_voucher : ListedBy::awaited_voucher,
            asked.id,
            asked.id.substr(0, asked.id.rfind('/')),
            asked.serial,
            is_refused ? ra::Standing::failed : ra::Standing::pending,
            asked.since,
            {},
            fmt::format("{}: {}", is_refused ? "no voucher" : "voucher",
                        asked.reason.empty()
                            ? fmt::format("{} {}", registrar::name_of(asked.state), asked.masa_url)
                            : asked.reason)};
}

DeviceLine line_of(const ra::RefusedDevice& refused)
{
    return {ListedBy::refused_request,
            refused.id(),
            refused.device.empty() ? refused.who : refused.device,
            refused.who,
            ra::Standing::refused,
            std::chrono::floor<std::chrono::seconds>(refused.at),
            {},
            fmt::format("{}{}: {}", refused.device.empty() ? "nobody proved to be it; " : "", refused.cause,
                        refused.text)};
}

bool selects(const ra::DeviceFilter& filter, ra::Standing standing)
{
    return filter.standings.empty() ||
           std::find(filter.standings.begin(), filter.standings.end(), standing) != filter.standings.end();
}

/// Where the lines of one kind go on.
std::optional<store::Behind> behind(const std::optional<Cursor>& after, ListedBy by)
{
    if (!after) return std::nullopt;
    if (by == after->by) return store::Behind{after->since, after->id};
    // Those of the same time come before it, or after it.
    return store::Behind{by < after->by ? after->since : after->since + std::chrono::seconds{1}, {}};
}

/// Devices without voucher have no order yet.
Result<void> add_vouchers(DeviceList& list, const DevicePage& page, registrar::Records vouchers)
{
    const auto& filter = page.filter;
    ACMETOOL_TRY(counts, vouchers.count_open(filter.since));
    list.awaiting_voucher = counts.waiting;
    list.without_voucher = counts.refused;
    for (const bool refused : {false, true}) {
        if (!selects(filter, refused ? ra::Standing::failed : ra::Standing::pending)) continue;
        const auto by = refused ? ListedBy::refused_voucher : ListedBy::awaited_voucher;
        ACMETOOL_TRY(
            asked, vouchers.without_voucher(refused, filter.since, behind(page.after, by), filter.limit + 1));
        for (const auto& one : asked)
            list.lines.push_back(line_of(one));
    }
    return {};
}

/// Devices whose requests came to no order.
Result<void> add_refused(DeviceList& list, const DevicePage& page, ra::EventRecords events)
{
    const auto& filter = page.filter;
    ACMETOOL_TRY(count, events.count_refused(filter.since));
    list.refused = count;
    ACMETOOL_TRY(refused, events.refused(filter.since, behind(page.after, ListedBy::refused_request),
                                         filter.limit + 1));
    for (const auto& one : refused)
        list.lines.push_back(line_of(one));
    return {};
}

/// Devices that are in the inventory, and nowhere else.
Result<void> add_unseen(DeviceList& list, const DevicePage& page, const Config& config,
                        store::Database& database)
{
    const auto known = read_device_files(config);
    if (!known.is_readable)
        return fail(
            Errc::config,
            fmt::format("the inventory {} cannot be read", base::printable(config.ra.idevid.inventory)),
            "run the command as a user who may read it");
    ACMETOOL_TRY(seen, ra::DeviceRecords{database}.serials());
    ACMETOOL_TRY(told, ra::EventRecords{database}.known());
    std::set<std::string> asked;
    if (!config.brski.manufacturers.empty()) {
        ACMETOOL_TRY(serials, registrar::Records{database}.serials());
        asked = std::move(serials);
    }
    const auto& after = page.after;
    const auto look_at = [&](const std::string& serial) {
        if (seen.contains(serial) || told.contains(serial) || asked.contains(serial)) return;
        ++list.unseen;
        const bool is_behind = !after || after->by != ListedBy::inventory || after->id < serial;
        if (is_behind && list.lines.size() <= page.filter.limit)
            list.lines.push_back(
                {ListedBy::inventory, serial, serial, serial, ra::Standing::unseen, {}, {}, {}});
    };
    if (known.in_store) {
        std::string last; // several manufacturers may have one serial number
        return ra::InventoryRecords{database}.list([&](const ra::InventoryLine& line) -> Result<void> {
            if (line.serial != last) look_at(line.serial);
            last = line.serial;
            return {};
        });
    }
    for (const auto& [serial, entries] : known.inventory.entries())
        look_at(serial);
    return {};
}

} // namespace

std::string to_text(const Cursor& cursor)
{
    return fmt::format("{}/{}/{}", base::to_rfc3339(cursor.since), static_cast<int>(cursor.by),
                       base::to_base64url(as_bytes(cursor.id)));
}

Result<Cursor> parse_cursor(std::string_view text)
{
    const auto parts = base::split(text, '/');
    if (parts.size() == 3) {
        const auto since = base::parse_rfc3339(parts[0]);
        const bool is_by = parts[1].size() == 1 && parts[1].front() >= '0' &&
                           parts[1].front() <= '0' + static_cast<int>(ListedBy::inventory);
        const auto id = base::parse_base64url(parts[2]);
        if (since && is_by && id && !id->empty())
            return Cursor{*since, static_cast<ListedBy>(parts[1].front() - '0'), std::string{as_text(*id)}};
    }
    return fail(Errc::usage, fmt::format("--after: {} is no place in the list", base::printable(text, 60)),
                "a list that was cut ends with the place where the next one goes on");
}

Result<DeviceList> list_devices(const Config& config, const DevicePage& page, base::TimePoint now)
{
    const auto& filter = page.filter;
    ACMETOOL_TRY(database, open_store(config));
    ra::DeviceRecords devices{*database};
    DeviceList list;
    ACMETOOL_TRY(counts, devices.count(filter.since, now));
    list.counts = std::move(counts);
    auto one_more = filter; // which tells that there are more
    ++one_more.limit;
    one_more.behind = behind(page.after, ListedBy::order);
    ACMETOOL_TRY(listed, devices.list(one_more, now));
    for (const auto& device : listed)
        list.lines.push_back(line_of(device, now));
    if (!config.brski.manufacturers.empty())
        ACMETOOL_CHECK(add_vouchers(list, page, registrar::Records{*database}));
    if (page.with_refused && selects(filter, ra::Standing::refused))
        ACMETOOL_CHECK(add_refused(list, page, ra::EventRecords{*database}));
    if (!filter.standings.empty() && selects(filter, ra::Standing::unseen))
        ACMETOOL_CHECK(add_unseen(list, page, config, *database));
    std::stable_sort(list.lines.begin(), list.lines.end(),
                     [](const auto& a, const auto& b) { return a.since > b.since; });
    if (list.lines.size() > filter.limit) {
        list.lines.resize(filter.limit);
        const auto& last = list.lines.back();
        list.next = Cursor{last.since, last.by, last.id};
    }
    return list;
}

base::Json to_json(const DeviceList& list)
{
    base::Json counts{{"awaitingVoucher", list.awaiting_voucher},
                      {"withoutVoucher", list.without_voucher},
                      {"refused", list.refused},
                      {"unseen", list.unseen}};
    for (const auto standing : kAllStandings) {
        const auto found = list.counts.find(standing);
        counts[std::string{ra::name_of(standing)}] = found == list.counts.end() ? 0 : found->second;
    }
    base::Json devices = base::Json::array();
    for (const auto& line : list.lines) {
        base::Json device{{"device", base::printable(line.device)}, {"state", ra::name_of(line.standing)}};
        if (line.standing != ra::Standing::unseen) device["since"] = base::to_rfc3339(line.since);
        if (!line.serial.empty()) device["serial"] = base::printable(line.serial);
        if (!line.name.empty()) device["name"] = base::printable(line.name);
        if (!line.note.empty()) device["note"] = base::printable(line.note);
        devices.push_back(std::move(device));
    }
    base::Json document{
        {"counts", std::move(counts)}, {"devices", std::move(devices)}, {"more", list.next.has_value()}};
    if (list.next) document["next"] = to_text(*list.next);
    return document;
}

std::string to_text(const DeviceList& list)
{
    std::vector<std::string> counts;
    for (const auto standing : kAllStandings) {
        const auto found = list.counts.find(standing);
        counts.push_back(
            fmt::format("{} {}", found == list.counts.end() ? 0 : found->second, ra::name_of(standing)));
    }
    std::string text = base::join(counts, ", ");
    if (list.awaiting_voucher + list.without_voucher > 0)
        text += fmt::format("; {} waiting for a voucher, {} refused one", list.awaiting_voucher,
                            list.without_voucher);
    if (list.refused > 0) text += fmt::format("; {} refused before an order", list.refused);
    if (list.unseen > 0) text += fmt::format("; {} of the inventory never seen", list.unseen);
    text += "\n";
    if (list.lines.empty()) return text;
    constexpr std::size_t kWidest = 24;
    const auto shown = [](const DeviceLine& line) {
        return base::printable(line.serial.empty() ? line.device : line.serial, 100);
    };
    std::size_t width = 6;
    for (const auto& line : list.lines)
        width = std::min(kWidest, std::max(width, shown(line).size()));
    text += fmt::format("\n{:<{}}  {:<8}  {:<20}  NAME\n", "SERIAL", width, "STATE", "SINCE");
    for (const auto& line : list.lines) {
        const auto name = base::printable(line.name, 260);
        text += fmt::format("{:<{}}  {:<8}  {:<20}{}{}\n", shown(line), width, ra::name_of(line.standing),
                            line.standing == ra::Standing::unseen ? "-" : base::to_rfc3339(line.since),
                            name.empty() ? "" : "  ", name);
        for (const auto& part : folded(base::printable(line.note, 300), 76))
            text += "    " + part + "\n";
    }
    if (list.next) text += fmt::format("there are more: --after {}\n", to_text(*list.next));
    return text;
}

} // namespace acmetool::relay
