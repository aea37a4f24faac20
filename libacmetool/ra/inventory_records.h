#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/context.h"
#include "base/result.h"
#include "ra/inventory.h"
#include "store/database.h"

/// The inventory in the store, which all registration authorities on it ask with each decision: whatever
/// changes it counts at once, and for all.
namespace acmetool::ra
{

/// The inventory as a whole.
struct InventoryCounts {
    std::uint64_t devices = 0;
    std::uint64_t unnamed = 0; ///< of them, those without a manufacturer
};

/// What a change did.
struct InventoryChange {
    InventoryCounts now;
    std::uint64_t added = 0;
    std::uint64_t changed = 0; ///< label or names
    std::uint64_t removed = 0;
    std::vector<std::string> unknown; ///< that were to be removed, as they were written
};

/// An inventory is imported under a number of its own, and counts only once it is complete: until then, and
/// if that never comes, the one before is in force. Changes and imports are written in transactions of a few
/// hundred lines, between which others write.
///
/// A view of the database that costs nothing to create. All errors are io, unless they say more.
class InventoryRecords
{
public:
    explicit InventoryRecords(store::Database& database) : database_(&database) {}

    /// What the inventory has of a serial number.
    Result<Listed> listed(std::string_view serial);
    Result<InventoryCounts> count();
    /// See Inventory::labels(). Reads all of it.
    Result<std::map<std::string, std::uint64_t>> labels();
    /// All of it, by serial number. Errors: temporary, reason "inventoryChanged", if it was replaced
    /// meanwhile; those of `take`.
    Result<void> list(const std::function<Result<void>(const InventoryLine&)>& take);

    /// Adds lines, or changes label and names of those that are there: all of them or none.
    Result<InventoryChange> add(const std::vector<InventoryLine>& lines);
    /// Removes entries, all of them or none: those of the manufacturer of a line, or of any if it has none.
    Result<InventoryChange> remove(const std::vector<InventoryLine>& lines);

    /// The inventory in force, into a database without any, in a transaction of `to`. Returns how many rows
    /// there are.
    static Result<std::uint64_t> copy(store::Database& from, store::Database& to);

private:
    friend class InventoryImport;

    Result<std::int64_t> begin_change();
    Result<InventoryCounts> end_change(std::int64_t devices, std::int64_t unnamed);
    Result<void> each(std::int64_t generation, const std::function<Result<void>(InventoryLine)>& take);

    store::Database* database_;
};

/// A whole inventory in the place of the one in force. Nothing counts before finish(); if that is not called,
/// the lines are removed, or, if the process was killed, with the next import.
class InventoryImport
{
public:
    /// An import that began before and has not ended can no longer end. `context` ends it and has the time
    /// between transactions.
    static Result<InventoryImport> begin(store::Database& database, base::Context& context);
    InventoryImport(InventoryImport&& other) noexcept;
    InventoryImport& operator=(InventoryImport&&) = delete;
    ~InventoryImport();

    /// `place` names the line in errors. Errors: config, if the device was there before; interrupted.
    Result<void> add(InventoryLine line, std::string place);

    struct Rules {
        bool force = false;  ///< whatever it drops
        bool is_cut = false; ///< its last line has no newline
    };
    /// Puts it in force. `what` names it in errors. Errors: bad_input, reason "fileCut", if it has no device,
    /// lacks more than half of those in force, or may be cut and lacks some or has others; temporary, reason
    /// "inventoryChanged", if the inventory was changed since begin().
    Result<InventoryChange> finish(const Rules& rules, const std::string& what);

private:
    InventoryImport(store::Database& database, base::Context& context)
        : database_(&database), context_(&context)
    {
    }
    Result<void> write();
    Result<std::uint64_t> count_missing(bool or_different);
    Result<void> remove_between(std::int64_t after, std::int64_t before);
    Result<void> remove(std::int64_t generation);
    Result<void> pause(std::chrono::steady_clock::time_point began);

    struct Pending {
        InventoryLine line;
        std::string place;
    };
    store::Database* database_; ///< null once it is over
    base::Context* context_;
    std::int64_t generation_ = -1; ///< of this one; negative: none yet
    std::int64_t former_ = 0;      ///< in force since before
    std::int64_t changes_ = 0;     ///< as begin() left them
    std::uint64_t in_force_ = 0;   ///< devices of the former one
    std::vector<Pending> pending_;
    InventoryCounts counts_;
};

} // namespace acmetool::ra
