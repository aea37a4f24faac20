#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "../store/server.h"
#include "fixture.h"
#include "former_tables.h"
#include "ra/exclusion.h"
#include "ra/inventory_records.h"
#include "ra/policy.h"
#include "ra/records.h"
#include "vendor.h"

using namespace acmetool;
using namespace acmetool::test;

namespace
{

/// A user who may interrupt.
class User : public base::Context
{
public:
    bool interrupted() const override { return stops; }
    bool stops = false;
};

ra::InventoryLine inventory_line(const std::string& text, const enrol::Manufacturers& known = {})
{
    base::CsvList list{false};
    auto line = ra::parse_inventory_line(list, text, "line", known);
    REQUIRE_MESSAGE(line, line.error().message);
    REQUIRE(line->has_value());
    return std::move(**line);
}

std::vector<ra::InventoryLine> inventory_lines(const std::vector<std::string>& texts,
                                               const enrol::Manufacturers& known = {})
{
    std::vector<ra::InventoryLine> lines;
    for (const auto& text : texts)
        lines.push_back(inventory_line(text, known));
    return lines;
}

/// SN-0000 ..., `count` of them.
std::vector<std::string> numbered(int from, int count)
{
    std::vector<std::string> texts;
    for (int i = from; i < from + count; ++i)
        texts.push_back(fmt::format("SN-{:04}", i));
    return texts;
}

Result<void> put(ra::InventoryImport& fresh, const std::vector<std::string>& texts)
{
    int number = 0;
    for (const auto& text : texts)
        ACMETOOL_CHECK(fresh.add(inventory_line(text), fmt::format("line {}", ++number)));
    return {};
}

Result<ra::InventoryChange> import_all(store::Database& database, const std::vector<std::string>& texts,
                                       ra::InventoryImport::Rules rules = {})
{
    User user;
    ACMETOOL_TRY(fresh, ra::InventoryImport::begin(database, user));
    ACMETOOL_CHECK(put(fresh, texts));
    return fresh.finish(rules, "devices.csv");
}

std::string number_from(store::Database& database, const std::string& sql)
{
    const auto rows = database.execute(sql);
    REQUIRE_MESSAGE(rows, rows.error().message);
    return rows->front().front();
}

std::uint64_t devices_in(store::Database& database)
{
    const auto counts = ra::InventoryRecords{database}.count();
    REQUIRE(counts);
    // The count that is kept is that of the rows.
    CHECK(number_from(database, "SELECT COUNT(*) FROM inventory WHERE generation = (SELECT generation FROM "
                                "inventory_state)") == std::to_string(counts->devices));
    return counts->devices;
}

bool lists(store::Database& database, const std::string& serial)
{
    const auto listed = ra::InventoryRecords{database}.listed(serial);
    REQUIRE(listed);
    return listed->any();
}

store::Options in_a_file(const Folder& folder)
{
    store::Options options;
    options.sqlite = folder / "relay.db";
    return options;
}

void prepare(const store::Options& options)
{
    REQUIRE(ra::Records::prepare(**store::open_database(options)));
}

void look_at_changes(store::Database& database)
{
    const Vendor vendor{"Maker CA"};
    const enrol::Manufacturers known{{{"maker", {vendor.certificate}, {}}}, {}};
    ra::InventoryRecords records{database};
    REQUIRE(records.count());
    CHECK(records.count()->devices == 0);
    CHECK_FALSE(lists(database, "SN-1"));

    auto change = records.add(inventory_lines({"SN-1", "SN-1@maker,iot,a,b", "x%2Cy@maker", "a@b"}, known));
    REQUIRE_MESSAGE(change, change.error().message);
    CHECK(change->added == 4);
    CHECK(change->now.devices == 4);
    CHECK(change->now.unnamed == 2);
    CHECK(devices_in(database) == 4);
    const auto listed = *records.listed("SN-1");
    const auto* theirs = listed.find({"", "SN-1", "00", "maker"});
    REQUIRE(theirs != nullptr);
    CHECK(theirs->label == "iot");
    CHECK(theirs->names == std::vector<std::string>{"a", "b"});
    const auto* any = listed.find({"", "SN-1", "00", "other"});
    REQUIRE(any != nullptr);
    CHECK(any->whose.empty());
    CHECK(records.labels() == std::map<std::string, std::uint64_t>{{"iot", 1}});
    CHECK(lists(database, "x,y"));
    CHECK(lists(database, "a@b"));

    // What is there already is changed, or stays.
    change = records.add(inventory_lines({"SN-1@maker,,c", "SN-1", "SN-2"}, known));
    REQUIRE(change);
    CHECK(change->added == 1);
    CHECK(change->changed == 1);
    CHECK(records.listed("SN-1")->find({"", "SN-1", "00", "maker"})->names == std::vector<std::string>{"c"});
    CHECK(devices_in(database) == 5);

    // In the order of serial numbers, as lines have them.
    std::string all;
    REQUIRE(records.list([&](const ra::InventoryLine& line) -> Result<void> {
        all += line.serial + "@" + line.entry.whose + " ";
        return {};
    }));
    CHECK(all == "SN-1@ SN-1@maker SN-2@ a@b@ x,y@maker ");

    // One entry, all of a serial number, and what is not there.
    change = records.remove(inventory_lines({"x%2Cy@maker", "SN-1", "SN-9@maker"}, known));
    REQUIRE(change);
    CHECK(change->removed == 3);
    CHECK(change->unknown == std::vector<std::string>{"SN-9@maker"});
    CHECK(change->now.devices == 2);
    CHECK(change->now.unnamed == 2);
    CHECK_FALSE(lists(database, "SN-1"));
    CHECK(devices_in(database) == 2);

    // Octets that are no UTF-8, and NUL.
    const std::string odd{"\xff\0z", 3};
    REQUIRE(records.add({ra::InventoryLine{odd, {"la\xfe", {}, ""}, odd}}));
    REQUIRE(lists(database, odd));
    CHECK(records.listed(odd)->find({"", odd, "", ""})->label == "la\xfe");
}

void look_at_imports(store::Database& database)
{
    const auto first = import_all(database, numbered(0, 1234));
    REQUIRE_MESSAGE(first, first.error().message);
    CHECK(first->added == 1234);
    CHECK(first->removed == 0);
    CHECK(devices_in(database) == 1234);
    CHECK(lists(database, "SN-1233"));

    // One that ends half-way, as if it were killed.
    {
        User user;
        auto fresh = ra::InventoryImport::begin(database, user);
        REQUIRE(fresh);
        REQUIRE(put(*fresh, numbered(2000, 700)));
        user.stops = true;
    }
    CHECK(number_from(database, "SELECT COUNT(*) FROM inventory") != "1234");
    CHECK(devices_in(database) == 1234);
    CHECK(lists(database, "SN-0000"));
    CHECK_FALSE(lists(database, "SN-2000"));

    // A wrong line leaves nothing behind: in the same transaction, and in another one.
    auto twice = numbered(0, 30);
    twice.push_back("SN-0003");
    auto wrong = import_all(database, twice);
    REQUIRE_FALSE(wrong);
    CHECK(wrong.error().message == "line 31: SN-0003 occurs twice");
    twice = numbered(0, 1100);
    twice.push_back("SN-0003");
    wrong = import_all(database, twice);
    REQUIRE_FALSE(wrong);
    CHECK(wrong.error().message == "line 1101: SN-0003 occurs twice");
    CHECK(number_from(database, "SELECT COUNT(*) FROM inventory") == "1234");

    // The next one has all, and of those before nothing is left.
    const auto second = import_all(database, numbered(1000, 1500), {true, false});
    REQUIRE_MESSAGE(second, second.error().message);
    CHECK(second->added == 1266);
    CHECK(second->removed == 1000);
    CHECK(devices_in(database) == 1500);
    CHECK_FALSE(lists(database, "SN-0999"));
    CHECK(lists(database, "SN-2499"));
    CHECK(number_from(database, "SELECT COUNT(*) FROM inventory") == "1500");
}

void look_at_refusals(store::Database& database)
{
    REQUIRE(import_all(database, numbered(0, 1000)));
    const auto refused = [&](const std::vector<std::string>& texts, bool is_cut, const std::string& why) {
        const auto done = import_all(database, texts, {false, is_cut});
        REQUIRE_FALSE(done);
        CAPTURE(done.error().message);
        CHECK(done.error().code == Errc::bad_input);
        CHECK(done.error().reason.word() == "fileCut");
        CHECK(done.error().message.find(why) != std::string::npos);
        CHECK(devices_in(database) == 1000);
        CHECK(number_from(database, "SELECT COUNT(*) FROM inventory") == "1000");
    };
    refused({}, false, "devices.csv: lists none, but 1000 devices are in the inventory");
    refused(numbered(501, 5000), false, "devices.csv: 501 of the 1000 devices in the inventory are missing");
    refused(numbered(0, 999), true, "1 of 1000 devices are missing or changed");
    auto changed = numbered(0, 1000);
    changed.back() += ",other";
    refused(changed, true, "1 of 1000 devices are missing or changed");
    // Half may go, what was added by hand has no newline, and all is taken on purpose.
    REQUIRE(import_all(database, numbered(500, 500)));
    CHECK(devices_in(database) == 500);
    REQUIRE(import_all(database, numbered(500, 501), {false, true}));
    CHECK(devices_in(database) == 501);
    REQUIRE(import_all(database, {}, {true, false}));
    CHECK(devices_in(database) == 0);
    CHECK(number_from(database, "SELECT COUNT(*) FROM inventory") == "0");

    // What was removed meanwhile does not come back, and of two imports the one counts that began last.
    REQUIRE(import_all(database, {"SN-1", "SN-2"}));
    User user;
    auto older = ra::InventoryImport::begin(database, user);
    REQUIRE(older);
    REQUIRE(put(*older, {"SN-1", "SN-2", "SN-3"}));
    REQUIRE(ra::InventoryRecords{database}.remove(inventory_lines({"SN-2"})));
    auto done = older->finish({}, "devices.csv");
    REQUIRE_FALSE(done);
    CHECK(done.error().code == Errc::temporary);
    CHECK(done.error().reason.word() == "inventoryChanged");
    CHECK_FALSE(lists(database, "SN-2"));
    auto former = ra::InventoryImport::begin(database, user);
    REQUIRE(former);
    REQUIRE(put(*former, {"SN-1", "SN-4"}));
    REQUIRE(import_all(database, {"SN-1", "SN-5"}));
    done = former->finish({}, "devices.csv");
    REQUIRE_FALSE(done);
    CHECK(done.error().reason.word() == "inventoryChanged");
    CHECK(lists(database, "SN-5"));
    CHECK_FALSE(lists(database, "SN-4"));
}

/// A registration authority that knows two makers, "one" and "two", whose CAs have one name.
struct ListedLab {
    explicit ListedLab(const store::Options& options, const std::string& instance = "one")
    {
        lab.options.idevid.trust.clear();
        lab.options.idevid.accept_any = false;
        lab.options.idevid.inventory_in_store = true;
        lab.options.store = options;
        lab.options.store.instance = instance;
    }
    void trust(const Vendor& one, const Vendor& two)
    {
        lab.options.idevid.manufacturers = {
            {"one", {lab.folder.write("one.pem", one.certificate.to_pem())}, {}, true},
            {"two", {lab.folder.write("two.pem", two.certificate.to_pem())}, {}, true}};
        known = *ra::read_manufacturers(lab.options.idevid);
        lab.open();
    }
    std::string ask(const crypto::Certificate& device, const std::string& name = "sn-1.domain.com",
                    const std::string& label = {})
    {
        auto request = Lab::request(device, Lab::csr(*crypto::generate_key("ec:P-256"), {name}));
        request.label = label;
        auto decision = lab.enrol(std::move(request));
        if (const auto* issued = std::get_if<enrol::Issued>(&decision)) last = issued->certificate;
        if (const auto* refused = std::get_if<enrol::Refused>(&decision)) ground = refused->ground;
        return Lab::word(decision);
    }
    /// By another process.
    void add(const std::vector<std::string>& texts) const
    {
        const auto database = *ra::open_existing(lab.options.store);
        REQUIRE(ra::InventoryRecords{*database}.add(inventory_lines(texts, known)));
    }
    void remove(const std::vector<std::string>& texts) const
    {
        const auto database = *ra::open_existing(lab.options.store);
        REQUIRE(ra::InventoryRecords{*database}.remove(inventory_lines(texts, known)));
    }

    Lab lab;
    enrol::Manufacturers known;
    std::optional<crypto::Certificate> last;
    enrol::Ground ground = enrol::Ground::none;
};

void look_at_decisions(const store::Options& options)
{
    const Vendor one{"Maker CA"};
    const Vendor two{"Maker CA"};
    ListedLab relay{options};
    relay.lab.options.labels["table"] = {"", "", "table", ""};
    relay.lab.options.labels["iot"] = {"", "", "idevid-serial", ""};
    relay.trust(one, two);
    const auto ours = one.idevid("SN-1");
    const auto theirs = two.idevid("SN-1");

    CHECK(relay.ask(ours) == "forbidden");
    CHECK(relay.ground == enrol::Ground::not_in_inventory);
    relay.add({"SN-1@one"});
    CHECK(relay.ask(ours) == "issued");
    CHECK(relay.ask(theirs) == "forbidden");
    CHECK(relay.ground == enrol::Ground::other_manufacturer);
    // Out of the inventory the device has no say any more, nor its certificate.
    const auto certificate = *relay.last;
    relay.remove({"SN-1"});
    CHECK(relay.ask(ours) == "forbidden");
    CHECK(relay.ask(certificate) == "forbidden");
    CHECK(relay.ground == enrol::Ground::not_in_inventory);
    relay.add({"SN-1@one"});
    CHECK(relay.ask(certificate) == "issued");

    // A line without a manufacturer is for the first that comes; one that says whose it is gives it the name.
    relay.add({"SN-2"});
    CHECK(relay.ask(two.idevid("SN-2"), "sn-2.domain.com") == "issued");
    CHECK(relay.ask(one.idevid("SN-2"), "sn-2.domain.com") == "forbidden");
    relay.remove({"SN-2"});
    relay.add({"SN-2@one"});
    CHECK(relay.ask(one.idevid("SN-2"), "sn-2.domain.com") == "issued");

    // Label and names.
    relay.add({"SN-3,iot", "SN-4,table,p2,p1.domain.com"});
    CHECK(relay.ask(one.idevid("SN-3"), "sn-3.domain.com") == "forbidden");
    CHECK(relay.ground == enrol::Ground::other_label);
    CHECK(relay.ask(one.idevid("SN-3"), "sn-3.domain.com", "iot") == "issued");
    const auto named = one.idevid("SN-4");
    const auto told = std::get<enrol::CsrAttributes>(relay.lab.attributes(&named, "table"));
    REQUIRE(told.identifiers.size() == 2);
    CHECK(told.identifiers[0].value == "p2.domain.com");
    CHECK(relay.lab.engine->counts().devices == 4);
    CHECK(relay.lab.engine->status()["inventory"] == base::Json{{"in", "store"}, {"devices", 4}});
}

void look_at_reloads(const store::Options& options)
{
    Lab lab;
    lab.options.store = options;
    lab.options.idevid.accept_any = false;
    lab.options.idevid.inventory = lab.folder.write("devices.csv", "SN-1\nSN-2\n");
    lab.open();
    auto other = lab.options;
    other.idevid.inventory.clear();
    other.idevid.inventory_in_store = true;
    const auto refused = lab.engine->prepare(other);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().reason.word() == "fileCut");
    CHECK(refused.error().message == "the inventory in the store lists none, but 2 devices are in use");
    const auto ask = [&](const std::string& serial) {
        return Lab::word(lab.enrol(
            Lab::request(lab.maker.idevid(serial), Lab::csr(*crypto::generate_key("ec:P-256"),
                                                            {base::to_lower(serial) + ".domain.com"}))));
    };
    CHECK(ask("SN-1") == "issued");
    REQUIRE(ra::InventoryRecords{**ra::open_existing(lab.options.store)}.add(inventory_lines({"SN-2"})));
    auto prepared = lab.engine->prepare(other);
    REQUIRE_MESSAGE(prepared, prepared.error().message);
    (*prepared)();
    CHECK(lab.engine->counts().devices == 1);
    CHECK(ask("SN-1") == "forbidden");
    CHECK(ask("SN-2") == "issued");
}

} // namespace

TEST_CASE("SCL-35, SCL-40: the inventory in a file's database: add, change, list, remove")
{
    const Folder folder;
    look_at_changes(**ra::Records::open(in_a_file(folder)));
}

TEST_CASE("SCL-35, SCL-40: the inventory in a server's database: add, change, list, remove")
{
    const auto options = new_database("inventory");
    if (!options) return;
    prepare(*options);
    look_at_changes(**ra::Records::open(*options));
}

TEST_CASE(
    "SCL-37: an import into a file counts once it is complete, and one that was killed leaves the former")
{
    const Folder folder;
    look_at_imports(**ra::Records::open(in_a_file(folder)));
}

TEST_CASE(
    "SCL-37: an import into a server counts once it is complete, and one that was killed leaves the former")
{
    const auto options = new_database("inventory");
    if (!options) return;
    prepare(*options);
    look_at_imports(**ra::Records::open(*options));
}

TEST_CASE("SCL-38: what an import may not do without --force, and what changed meanwhile, in a file")
{
    const Folder folder;
    look_at_refusals(**ra::Records::open(in_a_file(folder)));
}

TEST_CASE("SCL-38: what an import may not do without --force, and what changed meanwhile, on a server")
{
    const auto options = new_database("inventory");
    if (!options) return;
    prepare(*options);
    look_at_refusals(**ra::Records::open(*options));
}

TEST_CASE("SCL-34, SCL-35: the inventory in a file's database decides as a file does, and at once")
{
    const Folder folder;
    look_at_decisions(in_a_file(folder));
}

TEST_CASE("SCL-34, SCL-35: the inventory in a server's database decides as a file does, and at once")
{
    const auto options = new_database("inventory");
    if (!options) return;
    prepare(*options);
    look_at_decisions(*options);
}

TEST_CASE("SCL-34: what is added or removed at one relay counts at the other with its next request")
{
    const auto options = new_database("inventory");
    if (!options) return;
    prepare(*options);
    const Vendor maker{"Maker CA"};
    const Vendor other{"Other CA"};
    ListedLab one{*options, "one"};
    ListedLab two{*options, "two"};
    one.trust(maker, other);
    two.trust(maker, other);
    const auto device = maker.idevid("SN-1");
    CHECK(two.ask(device) == "forbidden");
    one.add({"SN-1@one"});
    CHECK(two.ask(device) == "issued");
    CHECK(one.ask(device) == "issued");
    two.remove({"SN-1@one"});
    CHECK(one.ask(device) == "forbidden");
    CHECK(two.ask(device) == "forbidden");
}

TEST_CASE("SCL-41: a reload to the inventory in a file's database: not to an empty one")
{
    const Folder folder;
    look_at_reloads(in_a_file(folder));
}

TEST_CASE("SCL-41: a reload to the inventory in a server's database: not to an empty one")
{
    const auto options = new_database("inventory");
    if (!options) return;
    prepare(*options);
    look_at_reloads(*options);
}

TEST_CASE("SCL-42: tables without an inventory get it, in a file when it is opened")
{
    const Folder folder;
    const auto options = in_a_file(folder);
    {
        const auto database = ra::Records::open(options);
        REQUIRE(database);
        REQUIRE((*database)->execute("INSERT INTO blocked VALUES ('d1', 1)"));
        remove_numbers(**database);
        for (const auto* sql :
             {"DROP TABLE inventory", "DROP TABLE inventory_state", "PRAGMA user_version=6"})
            REQUIRE((*database)->execute(sql));
    }
    const auto database = ra::Records::open(options);
    REQUIRE_MESSAGE(database, database.error().message);
    CHECK((*database)->version().value_or(0) == 8);
    CHECK((*database)->execute("SELECT device FROM blocked")->size() == 1);
    CHECK(import_all(**database, {"SN-1"}));
}

TEST_CASE(
    "SCL-42: tables without an inventory get it, on a server by an upgrade, while a relay of before goes on")
{
    const auto options = new_database("inventory");
    if (!options) return;
    const auto former = store::open_database(*options);
    REQUIRE(former);
    REQUIRE(ra::Records::prepare(**former));
    remove_numbers(**former);
    for (const auto* sql :
         {"DROP TABLE inventory", "DROP TABLE inventory_state", "UPDATE store_schema SET version = 6"})
        REQUIRE((*former)->execute(sql));
    const auto refused = ra::Records::open(*options);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().reason.word() == "storeVersion");
    prepare(*options);
    const auto database = ra::Records::open(*options);
    REQUIRE_MESSAGE(database, database.error().message);
    CHECK(import_all(**database, {"SN-1"}));
    CHECK(ra::Records{**former}.block("d1", {}));
    // A later version is not taken for one of before.
    REQUIRE((*former)->execute("UPDATE store_schema SET version = 99"));
    CHECK_FALSE(ra::Records::prepare(**former));
}

TEST_CASE("SCL-42: the inventory in force moves from a file to a server")
{
    const auto options = new_database("inventory");
    if (!options) return;
    prepare(*options);
    const Folder folder;
    const auto from = *ra::Records::open(in_a_file(folder));
    REQUIRE(import_all(*from, numbered(0, 2500)));
    {
        User user;
        auto fresh = ra::InventoryImport::begin(*from, user);
        REQUIRE(put(*fresh, numbered(3000, 600)));
        user.stops = true;
    }
    const auto to = *ra::Records::open(*options);
    REQUIRE(to->begin());
    const auto copied = ra::Records::copy(*from, *to);
    REQUIRE_MESSAGE(copied, copied.error().message);
    REQUIRE(to->commit());
    CHECK(devices_in(*to) == 2500);
    CHECK(lists(*to, "SN-2499"));
    CHECK_FALSE(lists(*to, "SN-3000"));
    CHECK(import_all(*to, numbered(0, 2501)));
}
