#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "enrol/identity.h"

namespace acmetool::ra
{

struct Device;

/// The inventory entry of one device.
struct InventoryEntry {
    std::string label;              ///< CA label that it may use; empty: any
    std::vector<std::string> names; ///< for san = "table"; a single label is relative to the label's domain
    std::string whose; ///< manufacturer's name, or enrol::Identity::anchor; empty: any manufacturer's

    friend bool operator==(const InventoryEntry&, const InventoryEntry&) = default;
};

/// The known devices, by serial number and manufacturer.
class Inventory
{
public:
    bool empty() const { return size_ == 0; }
    std::size_t size() const { return size_; }
    /// The entry of a device; one that names its manufacturer first. Null if there is none.
    const InventoryEntry* find(const Device& device) const;
    /// By serial number, to compare two inventories.
    const std::map<std::string, std::vector<InventoryEntry>, std::less<>>& entries() const
    {
        return entries_;
    }
    /// True if there is an entry with this serial number, of any manufacturer.
    bool has(std::string_view serial) const { return entries_.contains(serial); }
    /// True if the device's is the only entry with its serial number, and names its manufacturer.
    bool names_only(const Device& device) const;

    /// The number of entries that name no manufacturer.
    std::size_t unnamed() const;
    /// Serial numbers that end in "@NAME", for a NAME that no manufacturer has; they are taken as they are.
    const std::vector<std::string>& strange() const { return strange_; }

private:
    friend Result<Inventory> parse_inventory(std::string_view, std::string_view, const enrol::Manufacturers&);

    std::map<std::string, std::vector<InventoryEntry>, std::less<>> entries_; ///< by serial number
    std::size_t size_ = 0;
    std::vector<std::string> strange_;
};

/// Reads "serial[,label][,name...]" lines; '#' begins a comment, a first line "serial,..." is a heading. A
/// serial "SERIAL@WHOSE", see enrol::parse_qualified_serial(), is a device of that manufacturer, if WHOSE is
/// one of `known` or the digest of an anchor. Errc::config naming file and line.
Result<Inventory> parse_inventory(std::string_view text, std::string_view what,
                                  const enrol::Manufacturers& known);

} // namespace acmetool::ra
