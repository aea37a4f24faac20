#include "ra/inventory_records.h"

#include <algorithm>
#include <chrono>
#include <set>
#include <utility>

#include <fmt/core.h>

#include "base/text.h"
#include "ra/record_columns.h"

namespace acmetool::ra
{
namespace
{

using store::number_of;
using Value = store::Database::Value;

/// A transaction that lasts stops all others.
constexpr std::size_t kWrittenAtOnce = 500;
/// One statement is one round trip.
constexpr std::size_t kInOneStatement = 100;
constexpr std::size_t kComparedAtOnce = 10'000;
constexpr std::size_t kListedAtOnce = 1000;
constexpr std::int64_t kBeforeAll = -1; ///< no generation

std::string names_text(const std::vector<std::string>& names)
{
    return base::join(names, ","); // a DNS name has none
}

/// One transaction.
Result<void> change_inventory(store::Database& database, const std::function<Result<void>()>& what)
{
    ACMETOOL_CHECK(database.begin());
    auto done = what();
    if (done) done = database.commit();
    if (!done) database.rollback();
    return done;
}

/// Inserts so many entries, those that are not there, and returns these.
std::string insert_entries_sql(std::size_t number)
{
    std::string sql = "INSERT INTO inventory (generation, serial, whose, label, names) VALUES ";
    for (std::size_t i = 0; i < number; ++i)
        sql += fmt::format("{}($1, ${}, ${}, ${}, ${})", i == 0 ? "" : ", ", 4 * i + 2, 4 * i + 3, 4 * i + 4,
                           4 * i + 5);
    return sql + " ON CONFLICT DO NOTHING RETURNING serial, whose";
}

/// The serial number up to which there are so many entries behind `after`; empty: there are fewer.
Result<std::string> last_of(store::Database& database, std::int64_t generation, const std::string& after,
                            std::size_t number)
{
    ACMETOOL_TRY(rows, database.execute(fmt::format("SELECT serial FROM inventory WHERE generation = $1 AND "
                                                    "serial > $2 ORDER BY serial LIMIT 1 OFFSET {}",
                                                    number - 1),
                                        {generation, after}));
    return rows.empty() ? std::string{} : rows.front().front();
}

tl::unexpected<Error> changed_meanwhile(std::string message)
{
    return fail(Errc::temporary, std::move(message), "run the command again", "inventoryChanged");
}

} // namespace

Result<Listed> InventoryRecords::listed(std::string_view serial)
{
    static const auto kSql = columns::listed_sql("$1");
    ACMETOOL_TRY(rows, database_->execute(kSql, {serial}));
    std::vector<InventoryEntry> entries;
    entries.reserve(rows.size());
    for (const auto& row : rows)
        entries.push_back(columns::entry_of(row));
    return Listed{std::move(entries)};
}

Result<InventoryCounts> InventoryRecords::count()
{
    ACMETOOL_TRY(rows, database_->execute("SELECT devices, unnamed FROM inventory_state"));
    if (rows.empty()) return InventoryCounts{};
    return InventoryCounts{static_cast<std::uint64_t>(number_of(rows.front()[0])),
                           static_cast<std::uint64_t>(number_of(rows.front()[1]))};
}

Result<std::map<std::string, std::uint64_t>> InventoryRecords::labels()
{
    ACMETOOL_TRY(rows, database_->execute("SELECT label, count(*) FROM inventory WHERE generation = (SELECT "
                                          "generation FROM inventory_state) AND label <> '' GROUP BY label"));
    std::map<std::string, std::uint64_t> labels;
    for (const auto& row : rows)
        labels.emplace(row[0], static_cast<std::uint64_t>(number_of(row[1])));
    return labels;
}

Result<void> InventoryRecords::each(std::int64_t generation,
                                    const std::function<Result<void>(InventoryLine)>& take)
{
    static const auto kSql =
        fmt::format("SELECT serial, whose, label, names FROM inventory WHERE generation "
                    "= $1 AND (serial, whose) > ($2, $3) ORDER BY serial, whose LIMIT {}",
                    kListedAtOnce);
    std::string serial;
    std::string whose;
    for (;;) {
        ACMETOOL_TRY(rows, database_->execute(kSql, {generation, serial, whose}));
        for (auto& row : rows) {
            auto entry = columns::entry_of({{}, row[1], {}, row[2], row[3]});
            ACMETOOL_CHECK(take({row[0], std::move(entry), row[0]}));
        }
        if (rows.size() < kListedAtOnce) return {};
        serial = rows.back()[0];
        whose = rows.back()[1];
    }
}

Result<void> InventoryRecords::list(const std::function<Result<void>(const InventoryLine&)>& take)
{
    constexpr const char* kGeneration = "SELECT generation FROM inventory_state";
    ACMETOOL_TRY(state, database_->execute(kGeneration));
    if (state.empty()) return {};
    ACMETOOL_CHECK(each(number_of(state.front().front()), take));
    ACMETOOL_TRY(now, database_->execute(kGeneration));
    if (now != state) return changed_meanwhile("the inventory was replaced while it was listed");
    return {};
}

/// Nobody else changes the inventory before this transaction ends.
Result<std::int64_t> InventoryRecords::begin_change()
{
    ACMETOOL_TRY(rows, database_->execute("INSERT INTO inventory_state VALUES (1, 0, 0, 0, 1, 0) ON CONFLICT "
                                          "(one) DO UPDATE SET changes = inventory_state.changes + 1 "
                                          "RETURNING generation"));
    return number_of(rows.front().front());
}

Result<InventoryCounts> InventoryRecords::end_change(std::int64_t devices, std::int64_t unnamed)
{
    ACMETOOL_TRY(rows, database_->execute("UPDATE inventory_state SET devices = devices + $1, unnamed = "
                                          "unnamed + $2 RETURNING devices, unnamed",
                                          {devices, unnamed}));
    return InventoryCounts{static_cast<std::uint64_t>(number_of(rows.front()[0])),
                           static_cast<std::uint64_t>(number_of(rows.front()[1]))};
}

Result<InventoryChange> InventoryRecords::add(const std::vector<InventoryLine>& lines)
{
    static const auto kInsert = insert_entries_sql(1);
    InventoryChange change;
    ACMETOOL_CHECK(change_inventory(*database_, [&]() -> Result<void> {
        ACMETOOL_TRY(generation, begin_change());
        std::int64_t unnamed = 0;
        for (const auto& line : lines) {
            const auto names = names_text(line.entry.names);
            const std::vector<Value> values{generation, line.serial, line.entry.whose, line.entry.label,
                                            names};
            ACMETOOL_TRY(added, database_->execute(kInsert, values));
            if (!added.empty()) {
                ++change.added;
                if (line.entry.whose.empty()) ++unnamed;
                continue;
            }
            ACMETOOL_TRY(changed, database_->execute("UPDATE inventory SET label = $4, names = $5 WHERE "
                                                     "generation = $1 AND serial = $2 AND whose = $3 AND "
                                                     "(label <> $4 OR names <> $5) RETURNING 1",
                                                     values));
            change.changed += changed.size();
        }
        ACMETOOL_TRY(now, end_change(static_cast<std::int64_t>(change.added), unnamed));
        change.now = now;
        return {};
    }));
    return change;
}

Result<InventoryChange> InventoryRecords::remove(const std::vector<InventoryLine>& lines)
{
    InventoryChange change;
    ACMETOOL_CHECK(change_inventory(*database_, [&]() -> Result<void> {
        ACMETOOL_TRY(generation, begin_change());
        std::int64_t unnamed = 0;
        for (const auto& line : lines) {
            ACMETOOL_TRY(removed,
                         database_->execute("DELETE FROM inventory WHERE generation = $1 AND serial = "
                                            "$2 AND (whose = $3 OR $3 = '') RETURNING whose",
                                            {generation, line.serial, line.entry.whose}));
            if (removed.empty()) change.unknown.push_back(line.written);
            change.removed += removed.size();
            unnamed += std::count_if(removed.begin(), removed.end(),
                                     [](const auto& row) { return row.front().empty(); });
        }
        ACMETOOL_TRY(now, end_change(-static_cast<std::int64_t>(change.removed), -unnamed));
        change.now = now;
        return {};
    }));
    return change;
}

Result<std::uint64_t> InventoryRecords::copy(store::Database& from, store::Database& to)
{
    ACMETOOL_TRY(state, from.execute("SELECT generation FROM inventory_state"));
    if (state.empty()) return std::uint64_t{0};
    const auto generation = number_of(state.front().front());
    std::uint64_t rows = 0;
    ACMETOOL_CHECK(InventoryRecords{from}.each(generation, [&](const InventoryLine& line) {
        ++rows;
        return to.write(
            "INSERT INTO inventory VALUES ($1, $2, $3, $4, $5)",
            {generation, line.serial, line.entry.whose, line.entry.label, names_text(line.entry.names)});
    }));
    return rows;
}

Result<InventoryImport> InventoryImport::begin(store::Database& database, base::Context& context)
{
    InventoryImport fresh{database, context};
    ACMETOOL_CHECK(change_inventory(database, [&]() -> Result<void> {
        ACMETOOL_TRY(rows,
                     database.execute("INSERT INTO inventory_state VALUES (1, 0, 0, 0, 1, 1) ON CONFLICT "
                                      "(one) DO UPDATE SET changes = inventory_state.changes + 1, "
                                      "last_generation = inventory_state.last_generation + 1 RETURNING "
                                      "generation, devices, changes, last_generation"));
        const auto& state = rows.front();
        fresh.former_ = number_of(state[0]);
        fresh.in_force_ = static_cast<std::uint64_t>(number_of(state[1]));
        fresh.changes_ = number_of(state[2]);
        fresh.generation_ = number_of(state[3]);
        return {};
    }));
    // What imports left that were killed.
    ACMETOOL_CHECK(fresh.remove_between(kBeforeAll, fresh.former_));
    ACMETOOL_CHECK(fresh.remove_between(fresh.former_, fresh.generation_));
    return fresh;
}

InventoryImport::InventoryImport(InventoryImport&& other) noexcept
    : database_(std::exchange(other.database_, nullptr)), context_(other.context_),
      generation_(other.generation_), former_(other.former_), changes_(other.changes_),
      in_force_(other.in_force_), pending_(std::move(other.pending_)), counts_(other.counts_)
{
}

InventoryImport::~InventoryImport()
{
    // Whoever interrupts does not wait for it, and what cannot be removed now is removed by the next import.
    if (database_ != nullptr && generation_ >= 0 && !context_->interrupted())
        static_cast<void>(remove(generation_));
}

Result<void> InventoryImport::add(InventoryLine line, std::string place)
{
    pending_.push_back({std::move(line), std::move(place)});
    if (pending_.size() < kWrittenAtOnce) return {};
    return write();
}

Result<void> InventoryImport::write()
{
    static const auto kMany = insert_entries_sql(kInOneStatement);
    static const auto kOne = insert_entries_sql(1);
    const auto insert = [&](std::size_t from, std::size_t number) -> Result<void> {
        std::vector<std::string> names; // borrowed by the values
        names.reserve(number);
        std::vector<Value> values{generation_};
        for (auto i = from; i < from + number; ++i) {
            const auto& line = pending_[i].line;
            names.push_back(names_text(line.entry.names));
            for (const std::string_view value :
                 {std::string_view{line.serial}, std::string_view{line.entry.whose},
                  std::string_view{line.entry.label}, std::string_view{names.back()}})
                values.emplace_back(value);
        }
        ACMETOOL_TRY(rows, database_->execute(number == 1 ? kOne : kMany, values));
        std::set<std::pair<std::string, std::string>> inserted;
        for (auto& row : rows)
            inserted.emplace(row[0], row[1]);
        for (auto i = from; i < from + number; ++i) {
            const auto& [line, place] = pending_[i];
            if (inserted.erase({line.serial, line.entry.whose}) == 0)
                return occurs_twice(place, line.written);
            ++counts_.devices;
            if (line.entry.whose.empty()) ++counts_.unnamed;
        }
        return {};
    };
    const auto began = std::chrono::steady_clock::now();
    auto written = change_inventory(*database_, [&]() -> Result<void> {
        std::size_t done = 0;
        for (; pending_.size() - done >= kInOneStatement; done += kInOneStatement)
            ACMETOOL_CHECK(insert(done, kInOneStatement));
        for (; done < pending_.size(); ++done)
            ACMETOOL_CHECK(insert(done, 1));
        return {};
    });
    if (!written) return written;
    pending_.clear();
    return pause(began);
}

/// SQLite lets one write at a time, and whoever waits looks again only now and then: it gets as much time as
/// was taken from it.
Result<void> InventoryImport::pause(std::chrono::steady_clock::time_point began)
{
    const base::Wait wait{"the inventory to be written", began, {}};
    if (database_->is_shared()) {
        if (context_->interrupted()) return fail(base::interrupted_error(wait.what));
        return {};
    }
    constexpr base::Milliseconds kLeast{5};
    constexpr base::Milliseconds kMost{100};
    const auto took = std::chrono::ceil<base::Milliseconds>(std::chrono::steady_clock::now() - began);
    return context_->sleep(std::clamp(took, kLeast, kMost), wait);
}

/// How many entries in force the import lacks, or has with another label or other names.
Result<std::uint64_t> InventoryImport::count_missing(bool or_different)
{
    std::uint64_t missing = 0;
    std::string after;
    for (bool is_last = in_force_ == 0; !is_last;) {
        ACMETOOL_TRY(last, last_of(*database_, former_, after, kComparedAtOnce));
        is_last = last.empty();
        const auto range = [&](std::string_view table) {
            return fmt::format("{0}.serial > $3{1}", table,
                               is_last ? std::string{} : fmt::format(" AND {}.serial <= $4", table));
        };
        std::vector<Value> values{former_, generation_, after};
        if (!is_last) values.emplace_back(last);
        // The range of the second is that of the first: a server without statistics would read all of it.
        ACMETOOL_TRY(
            rows, database_->execute(
                      fmt::format("SELECT COUNT(*) FROM inventory AS held WHERE held.generation = $1 AND {} "
                                  "AND NOT EXISTS (SELECT 1 FROM inventory AS fresh WHERE "
                                  "fresh.generation = $2 AND {} AND fresh.serial = held.serial AND "
                                  "fresh.whose = held.whose{})",
                                  range("held"), range("fresh"),
                                  or_different ? " AND fresh.label = held.label AND fresh.names = "
                                                 "held.names"
                                               : ""),
                      values));
        missing += static_cast<std::uint64_t>(number_of(rows.front().front()));
        after = std::move(last);
    }
    return missing;
}

Result<InventoryChange> InventoryImport::finish(const Rules& rules, const std::string& what)
{
    if (!pending_.empty()) ACMETOOL_CHECK(write());
    constexpr const char* kForce = "compare the file with its source; if that is intended, use --force";
    ACMETOOL_TRY(missing, count_missing(false));
    if (!rules.force && counts_.devices == 0 && in_force_ > 0)
        return fail(Errc::bad_input,
                    fmt::format("{}: lists none, but {} devices are in the inventory", what, in_force_),
                    kForce, "fileCut");
    if (!rules.force && missing > in_force_ / 2)
        return fail(
            Errc::bad_input,
            fmt::format("{}: {} of the {} devices in the inventory are missing", what, missing, in_force_),
            kForce, "fileCut");
    if (!rules.force && rules.is_cut) {
        ACMETOOL_TRY(lost, count_missing(true));
        if (lost > 0)
            return fail(Errc::bad_input,
                        fmt::format("{}: the last line has no newline, and {} of {} devices are missing or "
                                    "changed: the file may be cut",
                                    what, lost, in_force_),
                        "if it is complete, end its last line with a newline", "fileCut");
    }
    InventoryChange change{counts_, counts_.devices - (in_force_ - missing), 0, missing, {}};
    bool is_same = false;
    // The outcome of a commit may be unknown: from here on nothing is removed that may be in force.
    auto* const database = database_;
    const auto done = change_inventory(*database, [&]() -> Result<void> {
        ACMETOOL_TRY(rows,
                     database->execute("UPDATE inventory_state SET generation = $1, devices = $2, unnamed "
                                       "= $3, changes = changes + 1 WHERE changes = $4 RETURNING 1",
                                       {generation_, static_cast<std::int64_t>(counts_.devices),
                                        static_cast<std::int64_t>(counts_.unnamed), changes_}));
        is_same = !rows.empty();
        if (is_same) database_ = nullptr;
        return {};
    });
    if (!done) return fail(done.error());
    if (!is_same) return changed_meanwhile(fmt::format("{}: the inventory was changed meanwhile", what));
    database_ = database;
    // It is in force: what of the former one cannot be removed now is removed by the next import.
    static_cast<void>(remove_between(kBeforeAll, generation_));
    database_ = nullptr;
    return change;
}

Result<void> InventoryImport::remove_between(std::int64_t after, std::int64_t before)
{
    for (;;) {
        ACMETOOL_TRY(rows, database_->execute("SELECT generation FROM inventory WHERE generation > $1 AND "
                                              "generation < $2 ORDER BY generation LIMIT 1",
                                              {after, before}));
        if (rows.empty()) return {};
        after = number_of(rows.front().front());
        ACMETOOL_CHECK(remove(after));
    }
}

/// Never what is in force.
Result<void> InventoryImport::remove(std::int64_t generation)
{
    std::string after;
    for (bool is_last = false; !is_last;) {
        ACMETOOL_TRY(last, last_of(*database_, generation, after, kWrittenAtOnce));
        is_last = last.empty();
        std::vector<Value> values{generation, after};
        if (!is_last) values.emplace_back(last);
        const auto began = std::chrono::steady_clock::now();
        ACMETOOL_CHECK(change_inventory(*database_, [&] {
            return database_->write(
                fmt::format("DELETE FROM inventory WHERE generation = $1 AND serial > $2{} "
                            "AND generation <> (SELECT generation FROM inventory_state)",
                            is_last ? "" : " AND serial <= $3"),
                values);
        }));
        after = std::move(last);
        if (!is_last) ACMETOOL_CHECK(pause(began));
    }
    return {};
}

} // namespace acmetool::ra
