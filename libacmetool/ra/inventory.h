#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/csv.h"
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

/// The entries of one serial number: all that decisions see of an inventory, whether that is a file
/// (Inventory::listed()) or in the store (InventoryRecords::listed(), Records::objections()).
class Listed
{
public:
    Listed() = default; ///< none
    explicit Listed(std::vector<InventoryEntry> entries) : entries_(std::move(entries)) {}

    /// The entry of a device with this serial number; one that names its manufacturer first. Null if there is
    /// none.
    const InventoryEntry* find(const Device& device) const;
    /// True if there is an entry, of any manufacturer.
    bool any() const { return !entries_.empty(); }
    /// True if the device's is the only entry, and names its manufacturer.
    bool names_only(const Device& device) const;

private:
    std::vector<InventoryEntry> entries_;
};

/// One line of an inventory.
struct InventoryLine {
    std::string serial; ///< octets
    InventoryEntry entry;
    std::string written;     ///< the serial number as it stands there
    bool is_strange = false; ///< see Inventory::strange()
};

/// Reads the next "serial[,label][,name...]" line of `list`; nothing if it has no device (base::CsvList). A
/// serial "SERIAL@WHOSE", see enrol::parse_qualified_serial(), is a device of that manufacturer, if WHOSE is
/// one of `known` or the digest of an anchor. `place` names the line in errors: config.
Result<std::optional<InventoryLine>> parse_inventory_line(base::CsvList& list, std::string_view line,
                                                          std::string_view place,
                                                          const enrol::Manufacturers& known);

/// The error of a line whose device was there before.
tl::unexpected<Error> occurs_twice(std::string_view place, std::string_view written);

/// An inventory in a file: the known devices, by serial number and manufacturer.
class Inventory
{
public:
    bool empty() const { return size_ == 0; }
    std::size_t size() const { return size_; }
    Listed listed(std::string_view serial) const;
    /// By serial number, to compare two inventories.
    const std::map<std::string, std::vector<InventoryEntry>, std::less<>>& entries() const
    {
        return entries_;
    }

    /// The number of entries that name no manufacturer.
    std::size_t unnamed() const;
    /// The labels of devices that may have no other, with the number of these.
    std::map<std::string, std::uint64_t> labels() const;
    /// Serial numbers that end in "@NAME", for a NAME that no manufacturer has; they are taken as they are.
    const std::vector<std::string>& strange() const { return strange_; }

private:
    friend Result<Inventory> parse_inventory(std::string_view, std::string_view, const enrol::Manufacturers&);

    std::map<std::string, std::vector<InventoryEntry>, std::less<>> entries_; ///< by serial number
    std::size_t size_ = 0;
    std::vector<std::string> strange_;
};

/// Reads lines as parse_inventory_line() does; there may be a byte order mark before them. Errc::config
/// naming file and line.
Result<Inventory> parse_inventory(std::string_view text, std::string_view what,
                                  const enrol::Manufacturers& known);

} // namespace acmetool::ra
