#include "ra/inventory.h"

#include <algorithm>

#include <fmt/core.h>

#include "base/text.h"
#include "dns/name.h"
#include "ra/records.h"

namespace acmetool::ra
{
namespace
{

bool is_named(const InventoryEntry& entry, const Device& device)
{
    return !entry.whose.empty() && (entry.whose == device.manufacturer || entry.whose == device.anchor);
}

} // namespace

const InventoryEntry* Inventory::find(const Device& device) const
{
    const auto found = entries_.find(device.serial);
    if (found == entries_.end()) return nullptr;
    const InventoryEntry* any = nullptr;
    for (const auto& entry : found->second) {
        if (is_named(entry, device)) return &entry;
        if (entry.whose.empty()) any = &entry;
    }
    return any;
}

bool Inventory::names_only(const Device& device) const
{
    const auto found = entries_.find(device.serial);
    return found != entries_.end() && found->second.size() == 1 && is_named(found->second.front(), device);
}

std::size_t Inventory::unnamed() const
{
    std::size_t number = 0;
    for (const auto& [serial, entries] : entries_)
        number += static_cast<std::size_t>(
            std::count_if(entries.begin(), entries.end(), [](const auto& one) { return one.whose.empty(); }));
    return number;
}

Result<Inventory> parse_inventory(std::string_view text, std::string_view what,
                                  const enrol::Manufacturers& known)
{
    Inventory inventory;
    int number = 0;
    for (auto line : base::split(text, '\n')) {
        ++number;
        line = base::trim(line);
        if (line.empty() || line.starts_with('#')) continue;
        const auto fields = base::split(line, ',');
        std::string serial{base::trim(fields[0])};
        if (inventory.empty() && base::equals_ignoring_case(serial, "serial")) continue;
        const auto place = fmt::format("{}: line {}", what, number);
        if (serial.empty())
            return fail(Errc::config, place + ": no serial number", "lines must be serial[,label][,name...]");
        const auto written = serial;
        InventoryEntry entry;
        if (auto qualified = enrol::parse_qualified_serial(serial)) {
            if (known.has_name(qualified->whose) || enrol::is_anchor_digest(qualified->whose)) {
                serial = std::move(qualified->serial);
                entry.whose = std::move(qualified->whose);
            } else {
                inventory.strange_.push_back(serial);
            }
        }
        if (fields.size() > 1) entry.label = base::trim(fields[1]);
        for (std::size_t i = 2; i < fields.size(); ++i) {
            if (base::trim(fields[i]).empty()) continue;
            auto name = dns::normalize_name(base::trim(fields[i]));
            if (!name) {
                name.error().code = Errc::config;
                return fail(with_context(name.error(), place));
            }
            entry.names.push_back(std::move(*name));
        }
        auto& entries = inventory.entries_[serial];
        if (std::any_of(entries.begin(), entries.end(),
                        [&](const auto& other) { return other.whose == entry.whose; }))
            return fail(Errc::config, fmt::format("{}: {} occurs twice", place, base::printable(written)));
        entries.push_back(std::move(entry));
        ++inventory.size_;
    }
    return inventory;
}

} // namespace acmetool::ra
