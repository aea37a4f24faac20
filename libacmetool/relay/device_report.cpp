#include "relay/device_report.h"

#include <algorithm>

#include <fmt/core.h>

#include "base/text.h"
#include "dns/name.h"
#include "ra/exclusion.h"
#include "ra/policy.h"
#include "relay/device_files.h"
#include "relay/event_row.h"

namespace acmetool::relay
{
namespace
{

constexpr unsigned kShownOrders = 5;
constexpr unsigned kShownCertificates = 5;
constexpr unsigned kShownEvents = 10;
constexpr std::string_view kUser = "user:";

/// The identifier of a device in that of its voucher-request; empty in rows of an earlier version.
std::string device_in(const registrar::Device& asked)
{
    const auto slash = asked.id.rfind('/');
    return slash == std::string::npos ? std::string{} : asked.id.substr(0, slash);
}

constexpr const char* kHowToName =
    "name a device by its serial number or identifier, by its name, by the serial number "
    "of its certificate, or by a request id";

/// Whatever names a device, to the device.
class Finder
{
public:
    Finder(const Config& config, const DeviceFiles& known, store::Database& database)
        : config_(config), known_(known), database_(database), records_(database), devices_(database),
          events_(database), vouchers_(database)
    {
    }

    Result<ra::Device> find(const std::string& text)
    {
        if (text.empty()) return never_named();
        ACMETOOL_TRY(found, in_store(text));
        if (!found) return never_seen(text);
        // An earlier identifier of the device has what it did since under the one of now.
        ACMETOOL_TRY(adopted, records_.device_now(found->id));
        if (adopted) found->id = *adopted;
        complete(*found);
        return std::move(*found);
    }

private:
    bool has_brski() const { return !config_.brski.manufacturers.empty(); }

    void complete(ra::Device& device) const
    {
        const auto parts = enrol::parse_qualified_serial(device.id);
        if (!parts || device.id.starts_with(kUser)) return;
        if (device.serial.empty()) device.serial = parts->serial;
        if (!enrol::is_anchor_digest(parts->whose)) return;
        device.anchor = parts->whose;
        device.manufacturer = known_.manufacturers.name_of(device.anchor);
    }

    Result<std::optional<ra::Device>> in_store(const std::string& text)
    {
        const auto parts = enrol::parse_qualified_serial(text);
        const bool by_anchor = parts && enrol::is_anchor_digest(parts->whose);
        for (const auto& id :
             {by_anchor ? enrol::device_id(parts->serial, parts->whose) : text, std::string{kUser} + text}) {
            ACMETOOL_TRY(known, devices_.with_id(id));
            if (known) return std::move(known);
        }
        ACMETOOL_TRY(same_serial, with_serial(parts ? parts->serial : text));
        if (parts) {
            std::erase_if(same_serial, [&](const ra::Device& device) {
                return device.anchor != parts->whose && device.manufacturer != parts->whose;
            });
            // An "@" may be in the serial number itself.
            if (same_serial.empty()) {
                ACMETOOL_TRY(whole, with_serial(text));
                same_serial = std::move(whole);
            }
        }
        if (same_serial.size() > 1) return ambiguous(text, same_serial);
        if (!same_serial.empty()) return std::optional{std::move(same_serial.front())};
        return by_what_it_has(text);
    }

    Result<std::optional<ra::Device>> by_what_it_has(const std::string& text)
    {
        std::optional<std::string> id;
        if (const auto name = dns::normalize_name(text)) {
            ACMETOOL_TRY(owner, records_.owner_of_name(*name));
            id = std::move(owner);
        }
        if (const auto serial = ra::parse_serial(text); !id && serial) {
            ACMETOOL_TRY(owner, records_.device_of(*serial));
            id = std::move(owner);
        }
        if (!id) {
            ACMETOOL_TRY(seen, in_events(text));
            id = std::move(seen);
        }
        if (!id) return devices_.of_request(text);
        ACMETOOL_TRY(known, devices_.with_id(*id));
        return known ? std::move(known) : std::optional{ra::Device{*id, {}}};
    }

    /// By the MAC address that it had last, or the id of a request that came to no order.
    Result<std::optional<std::string>> in_events(const std::string& text)
    {
        if (const auto station = station_of(text); !station.empty()) {
            ACMETOOL_TRY(seen, events_.devices_at(station));
            if (!seen.empty()) return std::optional{std::move(seen.front())};
        }
        ra::EventFilter filter;
        filter.request_id = text;
        ACMETOOL_TRY(events, events_.list(filter));
        for (auto& event : events)
            if (!event.device.empty()) return std::optional{std::move(event.device)};
        return std::optional<std::string>{};
    }

    /// With anchor and manufacturer.
    Result<std::vector<ra::Device>> with_serial(const std::string& serial)
    {
        ACMETOOL_TRY(devices, devices_.with_serial(serial));
        ACMETOOL_TRY(refused, events_.devices_of(serial));
        for (auto& id : refused)
            devices.push_back({std::move(id), serial});
        if (has_brski()) {
            ACMETOOL_TRY(asked, vouchers_.with_serial(serial));
            for (const auto& one : asked)
                if (auto id = device_in(one); !id.empty()) devices.push_back({std::move(id), serial});
        }
        std::vector<ra::Device> different;
        for (auto& device : devices) {
            complete(device);
            if (std::none_of(different.begin(), different.end(),
                             [&](const auto& other) { return other.id == device.id; }))
                different.push_back(std::move(device));
        }
        return different;
    }

    static tl::unexpected<Error> ambiguous(const std::string& text, const std::vector<ra::Device>& devices)
    {
        std::vector<std::string> ids;
        ids.reserve(devices.size());
        for (const auto& device : devices)
            ids.push_back(base::printable(device.id, 300));
        return fail(
            Errc::bad_input,
            fmt::format("{} devices have the serial number {}", devices.size(), base::printable(text, 200)),
            "name one of them: " + base::join(ids, ", "), "ambiguousDevice");
    }

    /// Nothing names a device, though it is the request id of whatever has none.
    static tl::unexpected<Error> never_named()
    {
        return fail(Errc::bad_input, "no device is named", kHowToName, "unknownDevice");
    }

    /// A device of the inventory, one that was blocked before it came, or one of whose maker nothing is
    /// known.
    Result<ra::Device> never_seen(const std::string& text)
    {
        ra::Device device{{}, text};
        const auto parts = enrol::parse_qualified_serial(text);
        const bool by_anchor = parts && enrol::is_anchor_digest(parts->whose);
        // Of a manufacturer that nobody has configured there is no device: all of it is a serial number.
        const bool is_qualified = by_anchor || (parts && known_.manufacturers.has_name(parts->whose));
        if (is_qualified) {
            device.serial = parts->serial;
            device.anchor = by_anchor ? parts->whose : std::string{};
            device.manufacturer = by_anchor ? known_.manufacturers.name_of(parts->whose) : parts->whose;
        }
        ACMETOOL_TRY(block, records_.block_of(device));
        ACMETOOL_TRY(listed, known_.listed(database_, device.serial));
        if (block || (is_qualified ? listed.find(device) != nullptr : listed.any())) return device;
        // Somebody who claims to be it was refused.
        ra::EventFilter claims;
        claims.who = device.serial;
        claims.limit = 1;
        ACMETOOL_TRY(claimed, events_.list(claims));
        if (!claimed.empty()) return device;
        const auto shown = base::printable(text, 200);
        if (known_.in_store)
            return fail(Errc::bad_input,
                        fmt::format("{}: never seen; not in the inventory in the store", shown),
                        "if it is the serial number of a device that may enrol, add it with inventory add",
                        "unknownDevice");
        const auto& file = config_.ra.idevid.inventory;
        if (file.empty() || !known_.is_readable)
            return fail(Errc::bad_input, fmt::format("{}: this relay has never seen it", shown), kHowToName,
                        "unknownDevice");
        return fail(Errc::bad_input,
                    fmt::format("{}: never seen; not in the inventory {}", shown, base::printable(file)),
                    fmt::format("if it is the serial number of a device that may enrol, add it as a line to "
                                "{} and reload the relay",
                                base::printable(file)),
                    "unknownDevice");
    }

    const Config& config_;
    const DeviceFiles& known_;
    store::Database& database_;
    ra::Records records_;
    ra::DeviceRecords devices_;
    ra::EventRecords events_;
    registrar::Records vouchers_;
};

Result<Listing> listing_of(const Config& config, const DeviceFiles& known, store::Database& database,
                           const ra::Device& device)
{
    if (device.serial.empty()) return Listing::not_needed;
    if (!known.is_readable) return Listing::unreadable;
    ACMETOOL_TRY(listed, known.listed(database, device.serial));
    if (listed.find(device) != nullptr) return Listing::listed;
    if (listed.any()) return device.id.empty() ? Listing::listed : Listing::other_manufacturer;
    return config.ra.idevid.accept_any ? Listing::not_needed : Listing::absent;
}

/// Its last voucher-request.
Result<std::optional<registrar::Device>> voucher_of(const Config& config, store::Database& database,
                                                    const ra::Device& device)
{
    std::optional<registrar::Device> last;
    if (config.brski.manufacturers.empty() || device.serial.empty()) return last;
    ACMETOOL_TRY(asked, registrar::Records{database}.with_serial(device.serial));
    // One of an earlier version does not say whose it is.
    const auto own = std::find_if(asked.begin(), asked.end(), [&](const auto& one) {
        const auto whose = device_in(one);
        return whose.empty() || whose == device.id;
    });
    if (own != asked.end()) last = std::move(*own);
    return last;
}

} // namespace

Result<std::unique_ptr<store::Database>> open_store(const Config& config)
{
    ACMETOOL_TRY(database, ra::open_existing(config.ra.store));
    registrar::Records vouchers{*database};
    if (!config.brski.manufacturers.empty()) ACMETOOL_CHECK(vouchers.create());
    return std::move(database);
}

Result<ra::Device> find_device(const Config& config, store::Database& database, const std::string& text)
{
    return Finder(config, read_device_files(config), database).find(text);
}

Result<DeviceReport> report_device(const Config& config, const std::string& text, const std::string& program,
                                   base::TimePoint now)
{
    const auto known = read_device_files(config);
    ACMETOOL_TRY(database, open_store(config));
    DeviceReport report;
    ACMETOOL_TRY(device, Finder(config, known, *database).find(text));
    report.device = std::move(device);
    report.inventory = config.ra.idevid.inventory;
    report.inventory_in_store = known.in_store;
    ACMETOOL_TRY(listing, listing_of(config, known, *database, report.device));
    report.listing = listing;
    ra::Records records{*database};
    ACMETOOL_TRY(block, records.block_of(report.device));
    report.block = std::move(block);
    ra::DeviceRecords devices{*database};
    const auto& id = report.device.id;
    ACMETOOL_TRY(names, devices.names(id));
    report.names = std::move(names);
    ACMETOOL_TRY(orders, devices.orders(id, kShownOrders));
    report.orders = std::move(orders);
    ACMETOOL_TRY(certificates, devices.certificates(id, kShownCertificates));
    report.certificates = std::move(certificates);
    ACMETOOL_TRY(voucher, voucher_of(config, *database, report.device));
    report.voucher = std::move(voucher);
    ra::EventFilter filter;
    filter.who = report.device.serial.empty() ? id : report.device.serial;
    filter.device = id;
    filter.limit = kShownEvents;
    ACMETOOL_TRY(events, ra::EventRecords{*database}.list(filter));
    report.events = std::move(events);
    report.program = program;
    report.next = next_of(report, text, program, now);
    return report;
}

Result<Retried> retry_device(const Config& config, const std::string& text, base::TimePoint now)
{
    const auto known = read_device_files(config);
    ACMETOOL_TRY(database, open_store(config));
    ACMETOOL_TRY(device, Finder(config, known, *database).find(text));
    Retried retried{std::move(device)};
    ra::DeviceRecords devices{*database};
    ACMETOOL_TRY(failures, devices.forget_failures(retried.device.id, now));
    retried.failures = failures;
    ACMETOOL_TRY(voucher, voucher_of(config, *database, retried.device));
    if (voucher) {
        ACMETOOL_TRY(opened, registrar::Records{*database}.reopen(voucher->id, now));
        retried.has_voucher_request = opened;
    }
    ACMETOOL_TRY(orders, devices.orders(retried.device.id, kShownOrders));
    retried.under_way =
        static_cast<std::uint64_t>(std::count_if(orders.begin(), orders.end(), [](const auto& order) {
            return order.state < ra::OrderState::issued;
        }));
    return retried;
}

Result<Forgotten> forget_device(const Config& config, const std::string& text)
{
    ACMETOOL_TRY(database, open_store(config));
    ACMETOOL_TRY(device, find_device(config, *database, text));
    Forgotten forgotten{std::move(device)};
    ACMETOOL_TRY(orders, ra::DeviceRecords{*database}.forget_orders(forgotten.device.id));
    forgotten.orders = orders;
    ACMETOOL_TRY(voucher, voucher_of(config, *database, forgotten.device));
    if (voucher) {
        ACMETOOL_TRY(removed, registrar::Records{*database}.forget(voucher->id));
        forgotten.has_voucher_request = removed;
    }
    return forgotten;
}

} // namespace acmetool::relay
