#include "ra/inventory.h"

#include <fmt/core.h>

#include "base/text.h"
#include "dns/name.h"

namespace acmetool::ra
{

Result<Inventory> parse_inventory(std::string_view text, std::string_view what)
{
    Inventory inventory;
    int number = 0;
    for (auto line : base::split(text, '\n')) {
        ++number;
        line = base::trim(line);
        if (line.empty() || line.starts_with('#')) continue;
        const auto fields = base::split(line, ',');
        const std::string serial{base::trim(fields[0])};
        if (inventory.empty() && base::equals_ignoring_case(serial, "serial")) continue;
        const auto place = fmt::format("{}: line {}", what, number);
        if (serial.empty())
            return fail(Errc::config, place + ": no serial number", "lines must be serial[,label][,name...]");
        InventoryEntry entry;
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
        if (!inventory.emplace(serial, std::move(entry)).second)
            return fail(Errc::config, fmt::format("{}: {} occurs twice", place, base::printable(serial)));
    }
    return inventory;
}

} // namespace acmetool::ra
