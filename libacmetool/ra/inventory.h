#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace acmetool::ra
{

/// The inventory entry of one device.
struct InventoryEntry {
    std::string label;              ///< CA label that it may use; empty: any
    std::vector<std::string> names; ///< for san = "table"; a single label is relative to the label's domain
};
using Inventory = std::map<std::string, InventoryEntry, std::less<>>; ///< by serial number

/// Reads "serial[,label][,name...]" lines; '#' begins a comment, a first line "serial,..." is a heading.
/// Errc::config naming file and line.
Result<Inventory> parse_inventory(std::string_view text, std::string_view what);

} // namespace acmetool::ra
