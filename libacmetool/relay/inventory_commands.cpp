#include "relay/inventory_commands.h"

#include <algorithm>
#include <array>
#include <functional>
#include <iterator>
#include <optional>
#include <utility>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/csv.h"
#include "base/text.h"
#include "enrol/identity.h"
#include "ra/exclusion.h"
#include "ra/inventory_records.h"
#include "ra/policy.h"
#include "relay/daemon.h"
#include "store/line_reader.h"

namespace acmetool::cli
{
namespace
{

constexpr std::size_t kChangedAtOnce = 500; ///< one transaction, between which others write
constexpr std::size_t kStrangeTold = 10;

std::string shown_serial(std::string_view text)
{
    return base::printable(text, 1000);
}

/// As a line has it: SERIAL@WHOSE, or only the serial number.
std::string serial_in_line(const ra::InventoryLine& line)
{
    const auto& whose = line.entry.whose;
    return whose.empty() ? line.serial : enrol::escape_serial(line.serial) + "@" + whose;
}

/// The store of the configuration, and who the manufacturers are.
struct Opened {
    std::unique_ptr<store::Database> database;
    enrol::Manufacturers manufacturers;
};

Result<Opened> open_inventory(const std::string& file, relay::Kind kind, Io& io)
{
    ACMETOOL_TRY(config, relay::load_config(file, kind));
    if (!config.ra.idevid.inventory_in_store)
        io.context().log(base::Level::warning,
                         "this configuration does not use the inventory in the store: set "
                         "inventory_in_store = true in [clients.idevid]");
    ACMETOOL_TRY(manufacturers, ra::read_manufacturers(config.ra.idevid));
    ACMETOOL_TRY(database, ra::open_existing(config.ra.store));
    return Opened{std::move(database), std::move(manufacturers)};
}

/// Judges the lines of a file, or of arguments.
class LineJudge
{
public:
    LineJudge(std::string what, const enrol::Manufacturers& known, bool has_heading)
        : what_(std::move(what)), known_(known), list_(has_heading)
    {
    }

    std::string place(std::uint64_t number) const { return fmt::format("{}: line {}", what_, number); }

    Result<std::optional<ra::InventoryLine>> judge(std::string_view text, std::uint64_t number)
    {
        auto line = ra::parse_inventory_line(list_, text, place(number), known_);
        if (!line) return as_input(std::move(line).error());
        if (!*line) return line;
        if ((*line)->is_strange && ++strange_ <= kStrangeTold)
            told_.push_back(shown_serial((*line)->written));
        return line;
    }

    /// A wrong line is the input's fault.
    static tl::unexpected<Error> as_input(Error error)
    {
        if (error.code == Errc::config) error.code = Errc::bad_input;
        return fail(std::move(error));
    }

    void warn(Io& io) const
    {
        for (const auto& serial : told_)
            io.context().log(base::Level::warning,
                             fmt::format("{} ends in the name of no manufacturer: it is taken as a serial "
                                         "number",
                                         serial));
        if (strange_ > kStrangeTold)
            io.context().log(base::Level::warning, fmt::format("{} others end in the name of no manufacturer",
                                                               strange_ - kStrangeTold));
    }

private:
    std::string what_;
    const enrol::Manufacturers& known_;
    base::CsvList list_;
    std::uint64_t strange_ = 0;
    std::vector<std::string> told_;
};

std::string devices_text(std::uint64_t number)
{
    return number == 1 ? "1 device" : fmt::format("{} devices", number);
}

std::string total_text(const ra::InventoryCounts& counts)
{
    return fmt::format("{} in the inventory, {} of them without a manufacturer\n",
                       devices_text(counts.devices), counts.unnamed);
}

base::Json to_members(const ra::InventoryCounts& counts)
{
    return {{"devices", counts.devices}, {"unnamed", counts.unnamed}};
}

Result<void> write_change(const ra::InventoryChange& change, Io& io)
{
    if (io.json()) {
        auto members = to_members(change.now);
        members["added"] = change.added;
        members["changed"] = change.changed;
        members["removed"] = change.removed;
        if (!change.unknown.empty()) {
            auto& unknown = members["unknown"] = base::Json::array();
            for (const auto& serial : change.unknown)
                unknown.push_back(shown_serial(serial));
        }
        return io.write_document("inventory-count", members);
    }
    return io.write(fmt::format("{} added, {} changed, {} removed\n{}", change.added, change.changed,
                                change.removed, total_text(change.now)));
}

Result<void> import_inventory(const std::string& config, const std::string& file, bool force,
                              relay::Kind kind, Io& io)
{
    ACMETOOL_TRY(opened, open_inventory(config, kind, io));
    const auto what = file == "-" ? std::string{"standard input"} : file;
    LineJudge judge{what, opened.manufacturers, true};
    ACMETOOL_TRY(fresh, ra::InventoryImport::begin(*opened.database, io.context()));
    ACMETOOL_TRY(read, store::read_lines(file, io.context(), [&](auto text, auto number) -> Result<void> {
                     ACMETOOL_TRY(line, judge.judge(text, number));
                     if (!line) return {};
                     auto added = fresh.add(std::move(*line), judge.place(number));
                     if (!added) return LineJudge::as_input(std::move(added).error());
                     return {};
                 }));
    auto change = fresh.finish({force, read.is_cut}, what);
    if (!change) return LineJudge::as_input(std::move(change).error());
    judge.warn(io);
    return write_change(*change, io);
}

using ChangeSome =
    Result<ra::InventoryChange> (ra::InventoryRecords::*)(const std::vector<ra::InventoryLine>&);

/// Adds or removes what the arguments say, or the lines of standard input.
Result<void> change_inventory(const std::string& config, const std::vector<std::string>& arguments,
                              ChangeSome change_some, relay::Kind kind, Io& io)
{
    ACMETOOL_TRY(opened, open_inventory(config, kind, io));
    const bool is_input = arguments.front() == "-";
    LineJudge judge{is_input ? "standard input" : "arguments", opened.manufacturers, is_input};
    ra::InventoryRecords records{*opened.database};
    ra::InventoryChange all;
    std::vector<ra::InventoryLine> lines;
    bool is_begun = false;
    const auto write = [&]() -> Result<void> {
        ACMETOOL_TRY(change, (records.*change_some)(lines));
        lines.clear();
        is_begun = true;
        all.now = change.now;
        all.added += change.added;
        all.changed += change.changed;
        all.removed += change.removed;
        std::move(change.unknown.begin(), change.unknown.end(), std::back_inserter(all.unknown));
        return {};
    };
    // SQLite lets one write at a time, and whoever waits looks again only now and then.
    constexpr base::Milliseconds kPause{20};
    const base::Wait wait{"the inventory to be written", io.context().steady_now(), {}};
    const auto take = [&](std::string_view text, std::uint64_t number) -> Result<void> {
        ACMETOOL_TRY(line, judge.judge(text, number));
        if (line) lines.push_back(std::move(*line));
        if (lines.size() < kChangedAtOnce) return {};
        auto written = write();
        return written ? io.context().sleep(kPause, wait) : written;
    };
    const auto run = [&]() -> Result<void> {
        if (is_input) {
            ACMETOOL_CHECK(store::read_lines("-", io.context(), take));
        } else {
            std::uint64_t number = 0;
            for (const auto& argument : arguments)
                ACMETOOL_CHECK(take(argument, ++number));
        }
        return lines.empty() && is_begun ? Result<void>{} : write();
    };
    if (auto done = run(); !done) {
        if (is_begun)
            done.error().hint = fmt::format("{} added, {} changed and {} removed before that stay so{}{}",
                                            all.added, all.changed, all.removed,
                                            done.error().hint.empty() ? "" : "; ", done.error().hint);
        return fail(std::move(done).error());
    }
    judge.warn(io);
    for (const auto& serial : all.unknown)
        io.context().log(base::Level::warning, shown_serial(serial) + ": not in the inventory");
    return write_change(all, io);
}

Result<void> list_inventory(const std::string& config, relay::Kind kind, Io& io)
{
    ACMETOOL_TRY(opened, open_inventory(config, kind, io));
    ra::InventoryRecords records{*opened.database};
    if (io.json())
        return io.write_list("inventory", "devices", [&](const AddEntry& add) {
            return records.list([&](const ra::InventoryLine& line) -> Result<void> {
                base::Json device{{"serial", shown_serial(line.serial)}};
                if (!line.entry.whose.empty()) device["manufacturer"] = line.entry.whose;
                if (!line.entry.label.empty()) device["label"] = shown_serial(line.entry.label);
                if (!line.entry.names.empty()) device["names"] = line.entry.names;
                return add(std::move(device));
            });
        });
    constexpr std::size_t kPiece = 65'536;
    const bool is_piecewise = io.output().empty() || io.output() == "-"; // a file is written as a whole
    std::string text = "serial,label,name\n";
    ACMETOOL_CHECK(records.list([&](const ra::InventoryLine& line) -> Result<void> {
        auto row = base::to_csv_field(shown_serial(serial_in_line(line)));
        if (!line.entry.label.empty() || !line.entry.names.empty())
            row += "," + base::to_csv_field(shown_serial(line.entry.label));
        for (const auto& name : line.entry.names)
            row += "," + name;
        text += row + "\n";
        if (!is_piecewise || text.size() < kPiece) return {};
        return io.write(std::exchange(text, {}));
    }));
    return io.write(text);
}

Result<void> count_inventory(const std::string& config, relay::Kind kind, Io& io)
{
    ACMETOOL_TRY(opened, open_inventory(config, kind, io));
    ACMETOOL_TRY(counts, ra::InventoryRecords{*opened.database}.count());
    if (io.json()) return io.write_document("inventory-count", to_members(counts));
    return io.write(total_text(counts));
}

Result<void> inventory_command(const std::string& config, const InventoryOptions& options, relay::Kind kind,
                               Io& io)
{
    const auto wrong = [](std::string message) {
        return fail(
            Errc::usage, std::move(message),
            "inventory import FILE, inventory add LINE..., inventory remove DEVICE..., inventory list, "
            "inventory count; FILE, LINE and DEVICE may be -, for standard input");
    };
    if (options.action.empty()) return wrong("inventory needs to know what to do");
    const auto& action = options.action.front();
    const std::vector<std::string> arguments{options.action.begin() + 1, options.action.end()};
    constexpr std::array<std::string_view, 5> kActions{"import", "add", "remove", "list", "count"};
    if (std::find(kActions.begin(), kActions.end(), action) == kActions.end())
        return wrong(fmt::format("inventory cannot do {}", base::printable(action, 60)));
    const bool imports = action == "import";
    const bool changes = action == "add" || action == "remove";
    if (imports && arguments.size() != 1) return wrong("inventory import needs one file");
    if (changes && arguments.empty()) return wrong(fmt::format("inventory {} needs a device", action));
    if (!imports && !changes && !arguments.empty())
        return wrong(fmt::format("inventory {} takes no argument", action));
    if (changes && arguments.size() > 1 &&
        std::find(arguments.begin(), arguments.end(), "-") != arguments.end())
        return wrong(fmt::format("inventory {} takes devices or -, not both", action));
    if (options.force && !imports) return wrong("only inventory import takes --force");
    if (imports) return import_inventory(config, arguments.front(), options.force, kind, io);
    if (action == "add") return change_inventory(config, arguments, &ra::InventoryRecords::add, kind, io);
    if (action == "remove")
        return change_inventory(config, arguments, &ra::InventoryRecords::remove, kind, io);
    return action == "list" ? list_inventory(config, kind, io) : count_inventory(config, kind, io);
}

} // namespace

void add_inventory_commands(Program& program, std::string& config, InventoryOptions& options,
                            const std::string& name, relay::Kind kind)
{
    const std::string file = kind == relay::Kind::est ? "relay.toml" : "teap.toml";
    program
        .verb("inventory",
              "change or show the inventory in the store: import FILE, add LINE, remove DEVICE, list, "
              "count")
        .own_config(config)
        .words("ACTION", options.action, "What to do, with its arguments; - is standard input", true)
        .flag("--force", options.force,
              "With import: also if most devices would be dropped, or the file may be cut")
        .without(kNetworkOptions)
        .example(fmt::format("{} inventory import --config {} devices.csv", name, file))
        .action([&config, &options, kind](Io& io) { return inventory_command(config, options, kind, io); });
}

} // namespace acmetool::cli
