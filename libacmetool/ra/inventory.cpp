#include "ra/inventory.h"

#include <algorithm>

#include <fmt/core.h>

#include "base/csv.h"
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

const InventoryEntry* Listed::find(const Device& device) const
{
    const InventoryEntry* any = nullptr;
    for (const auto& entry : entries_) {
        if (is_named(entry, device)) return &entry;
        if (entry.whose.empty()) any = &entry;
    }
    return any;
}

bool Listed::names_only(const Device& device) const
{
    return entries_.size() == 1 && is_named(entries_.front(), device);
}

Listed Inventory::listed(std::string_view serial) const
{
    const auto found = entries_.find(serial);
    return found == entries_.end() ? Listed{} : Listed{found->second};
}

std::size_t Inventory::unnamed() const
{
    std::size_t number = 0;
    for (const auto& [serial, entries] : entries_)
        number += static_cast<std::size_t>(
            std::count_if(entries.begin(), entries.end(), [](const auto& one) { return one.whose.empty(); }));
    return number;
}

Result<std::optional<InventoryLine>> parse_inventory_line(std::string_view line, std::string_view place,
                                                          bool may_be_heading,
                                                          const enrol::Manufacturers& known)
{
    line = base::trim(line);
    if (line.empty() || line.starts_with('#')) return std::optional<InventoryLine>{};
    auto fields = base::csv_fields(line);
    if (!fields) {
        fields.error().code = Errc::config;
        return fail(with_context(std::move(fields).error(), place));
    }
    InventoryLine read;
    read.serial = base::trim(fields->front());
    if (may_be_heading && base::equals_ignoring_case(read.serial, "serial"))
        return std::optional<InventoryLine>{};
    if (read.serial.empty())
        return fail(Errc::config, fmt::format("{}: no serial number", place),
                    "lines must be serial[,label][,name...]");
    read.written = read.serial;
    if (auto qualified = enrol::parse_qualified_serial(read.serial)) {
        if (known.has_name(qualified->whose) || enrol::is_anchor_digest(qualified->whose)) {
            read.serial = std::move(qualified->serial);
            read.entry.whose = std::move(qualified->whose);
        } else {
            read.is_strange = true;
        }
    }
    if (fields->size() > 1) read.entry.label = base::trim((*fields)[1]);
    for (std::size_t i = 2; i < fields->size(); ++i) {
        const auto written = base::trim((*fields)[i]);
        if (written.empty()) continue;
        auto name = dns::normalize_name(written);
        if (!name) {
            name.error().code = Errc::config;
            return fail(with_context(name.error(), place));
        }
        read.entry.names.push_back(std::move(*name));
    }
    return std::optional{std::move(read)};
}

tl::unexpected<Error> occurs_twice(std::string_view place, std::string_view written)
{
    return fail(Errc::config, fmt::format("{}: {} occurs twice", place, base::printable(written)));
}

Result<Inventory> parse_inventory(std::string_view text, std::string_view what,
                                  const enrol::Manufacturers& known)
{
    Inventory inventory;
    int number = 0;
    for (const auto line : base::split(base::without_byte_order_mark(text), '\n')) {
        const auto place = fmt::format("{}: line {}", what, ++number);
        ACMETOOL_TRY(read, parse_inventory_line(line, place, inventory.empty(), known));
        if (!read) continue;
        auto& entries = inventory.entries_[read->serial];
        if (std::any_of(entries.begin(), entries.end(),
                        [&](const auto& other) { return other.whose == read->entry.whose; }))
            return occurs_twice(place, read->written);
        if (read->is_strange) inventory.strange_.push_back(std::move(read->written));
        entries.push_back(std::move(read->entry));
        ++inventory.size_;
    }
    return inventory;
}

} // namespace acmetool::ra
