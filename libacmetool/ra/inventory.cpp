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

std::map<std::string, std::uint64_t> Inventory::labels() const
{
    std::map<std::string, std::uint64_t> labels;
    for (const auto& [serial, entries] : entries_)
        for (const auto& entry : entries)
            if (!entry.label.empty()) ++labels[entry.label];
    return labels;
}

Result<std::optional<InventoryLine>> parse_inventory_line(base::CsvList& list, std::string_view line,
                                                          std::string_view place,
                                                          const enrol::Manufacturers& known)
{
    auto fields = list.read(line);
    if (!fields) {
        fields.error().code = Errc::config;
        return fail(with_context(std::move(fields).error(), place));
    }
    if (!*fields) return std::optional<InventoryLine>{};
    const auto& words = **fields;
    InventoryLine read;
    read.serial = base::trim(words.front());
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
    if (words.size() > 1) read.entry.label = base::trim(words[1]);
    for (std::size_t i = 2; i < words.size(); ++i) {
        const auto written = base::trim(words[i]);
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
    base::CsvList list;
    int number = 0;
    for (const auto line : base::split(base::without_byte_order_mark(text), '\n')) {
        const auto place = fmt::format("{}: line {}", what, ++number);
        ACMETOOL_TRY(read, parse_inventory_line(list, line, place, known));
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
