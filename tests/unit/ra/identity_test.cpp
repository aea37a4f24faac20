#include <doctest/doctest.h>

#include <algorithm>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "crypto/request_info.h"
#include "fixture.h"
#include "ra/policy.h"
#include "store/sqlite.h"
#include "vendor.h"

using namespace acmetool;
using namespace acmetool::test;
using enrol::Refusal;

namespace
{

/// A registration authority that trusts two manufacturers whose CAs have one name.
class TwoMakers
{
public:
    TwoMakers()
    {
        lab.options.idevid.trust = {lab.folder.write("one.pem", one.certificate.to_pem()),
                                    lab.folder.write("two.pem", two.certificate.to_pem())};
    }

    /// With names, "one" and "two", and an inventory.
    void list(const std::string& inventory)
    {
        const auto trust = std::exchange(lab.options.idevid.trust, {});
        if (!trust.empty())
            lab.options.idevid.manufacturers = {{"one", {trust[0]}, {}, true}, {"two", {trust[1]}, {}, true}};
        lab.options.idevid.accept_any = false;
        lab.options.idevid.inventory = lab.folder.write("devices.csv", inventory);
    }
    std::string ask(const crypto::Certificate& device, const std::string& name = "sn-1.domain.com")
    {
        const auto key = *crypto::generate_key("ec:P-256");
        return Lab::word(lab.enrol(Lab::request(device, Lab::csr(key, {name}))));
    }
    std::string last_device()
    {
        const std::lock_guard lock{lab.events_mutex};
        const auto found = std::find_if(lab.events.rbegin(), lab.events.rend(),
                                        [](const auto& event) { return event["event"] == "decision"; });
        return found == lab.events.rend() ? "" : (*found)["device"].get<std::string>();
    }

    Lab lab;
    Vendor one{"Maker CA"};
    Vendor two{"Maker CA"};
};

/// The tables of the version before, as its own statements made them.
void make_former_store(const std::string& path, const std::vector<std::string>& rows)
{
    auto database = *store::Sqlite::open(path);
    for (const auto* sql :
         {"CREATE TABLE orders (id TEXT PRIMARY KEY, state BIGINT NOT NULL, device TEXT NOT NULL, "
          "device_serial TEXT NOT NULL, label TEXT NOT NULL, domain TEXT NOT NULL, profile TEXT NOT NULL, "
          "renewal BIGINT NOT NULL, identifiers TEXT NOT NULL, csr BYTEA NOT NULL, url TEXT NOT NULL, "
          "unsure BIGINT NOT NULL, request_id TEXT NOT NULL, created BIGINT NOT NULL, until BIGINT NOT NULL, "
          "certificate TEXT NOT NULL, why BIGINT NOT NULL, words TEXT NOT NULL)",
          "CREATE TABLE certificates (digest TEXT PRIMARY KEY, serial TEXT NOT NULL, device TEXT NOT NULL, "
          "device_serial TEXT NOT NULL, identifiers TEXT NOT NULL, csr_digest TEXT NOT NULL, key_digest TEXT "
          "NOT NULL, not_before BIGINT NOT NULL, not_after BIGINT NOT NULL, der BYTEA NOT NULL)",
          "CREATE TABLE revoked (serial TEXT PRIMARY KEY, at BIGINT NOT NULL, key_digest TEXT NOT NULL) "
          "WITHOUT ROWID",
          "CREATE TABLE blocked (device TEXT PRIMARY KEY, at BIGINT NOT NULL) WITHOUT ROWID",
          "CREATE TABLE names (name TEXT PRIMARY KEY, device TEXT NOT NULL, domain TEXT NOT NULL) WITHOUT "
          "ROWID",
          "CREATE TABLE intermediates (digest TEXT PRIMARY KEY, der BYTEA NOT NULL, until BIGINT NOT NULL) "
          "WITHOUT ROWID",
          "CREATE TABLE spent (at BIGINT NOT NULL, device TEXT NOT NULL, renewal BIGINT NOT NULL)",
          "PRAGMA user_version=2"})
        REQUIRE(database->execute(sql));
    for (const auto& sql : rows)
        REQUIRE_MESSAGE(database->execute(sql), sql);
}

/// A row for a certificate that the former version issued to this device.
std::string issued_row(const crypto::Certificate& certificate, const std::string& device,
                       const std::string& serial, const std::string& key_digest)
{
    return fmt::format(
        "INSERT INTO certificates VALUES ('{}', '{}', '{}', '{}', 'dns:{}', 'none', '{}', {}, {}, "
        "X'{}')",
        to_hex(certificate.sha256()), certificate.serial(), device, serial,
        certificate.identifiers().front().value, key_digest,
        certificate.not_before().time_since_epoch().count(),
        certificate.not_after().time_since_epoch().count(), to_hex(certificate.der()));
}

} // namespace

TEST_CASE("SEC-20: two manufacturers with one CA name and one serial number have two devices")
{
    TwoMakers makers;
    auto& lab = makers.lab;
    lab.options.limits.orders_per_device = 2;
    lab.options.labels["random"] = {"", "", "random", ""};
    lab.open();
    const auto ours = makers.one.idevid("SN-1");
    const auto theirs = makers.two.idevid("SN-1");
    CHECK(makers.ask(ours) == "issued");
    const auto our_id = makers.last_device();
    CHECK(our_id == "SN-1@" + to_hex(makers.one.key.spki_sha256()));
    CHECK(makers.ask(theirs) == "bad_identity");
    const auto their_id = makers.last_device();
    CHECK(their_id == "SN-1@" + to_hex(makers.two.key.spki_sha256()));
    const auto random_of = [&](const crypto::Certificate& device) {
        return std::get<enrol::CsrAttributes>(lab.attributes(&device, "random")).identifiers.front().value;
    };
    const auto their_name = random_of(theirs);
    CHECK(random_of(ours) != their_name);

    // Each has a budget and blocks of its own; the serial number alone means both.
    const auto ask_for_theirs = [&] {
        auto request = Lab::request(theirs, Lab::csr(*crypto::generate_key("ec:P-256"), {their_name}));
        request.label = "random";
        return Lab::word(lab.enrol(std::move(request)));
    };
    CHECK(makers.ask(ours) == "issued");
    CHECK(makers.ask(ours) == "too_many");
    CHECK(ask_for_theirs() == "issued");
    REQUIRE(lab.engine->block(their_id));
    CHECK(ask_for_theirs() == "forbidden");
    CHECK(makers.ask(ours) == "too_many");
    REQUIRE(lab.engine->unblock(their_id));
    REQUIRE(lab.engine->block("SN-1"));
    CHECK(makers.ask(ours) == "forbidden");
    CHECK(ask_for_theirs() == "forbidden");
}

TEST_CASE("SEC-20: the inventory says whose a serial number is, and then the name is that device's")
{
    TwoMakers makers;
    auto& lab = makers.lab;
    const auto ours = makers.one.idevid("SN-1");
    const auto theirs = makers.two.idevid("SN-1");
    // Without a manufacturer an entry is for the first device that comes.
    makers.list("SN-1\n");
    lab.options.labels["random"] = {"", "", "random", ""};
    lab.open();
    CHECK(makers.ask(theirs) == "issued");
    CHECK(makers.ask(ours) == "forbidden");
    CHECK(std::holds_alternative<enrol::Refused>(lab.attributes(&ours, "random")));
    CHECK(makers.ask(theirs) == "issued");

    makers.list("SN-1@one\n");
    lab.open();
    CHECK(makers.ask(theirs) == "forbidden");
    CHECK(makers.ask(ours) == "issued");
    CHECK(std::get<enrol::CsrAttributes>(lab.attributes(&ours)).manufacturer == "one");
    lab.options.idevid.accept_any = true;
    lab.open();
    CHECK(makers.ask(theirs) == "forbidden");
    lab.options.idevid.accept_any = false;

    // Both are listed: the name stays with the device that has it.
    makers.list("SN-1@one\nSN-1@" + to_hex(makers.two.key.spki_sha256()) + "\n");
    lab.open();
    CHECK(makers.ask(theirs) == "bad_identity");
    CHECK(makers.ask(ours) == "issued");

    REQUIRE(lab.engine->block("SN-1@one"));
    CHECK(makers.ask(ours) == "forbidden");
    CHECK(makers.ask(theirs) == "bad_identity");
}

TEST_CASE("SEC-20: inventory lines with and without a manufacturer")
{
    const Vendor vendor{"Maker CA"};
    const enrol::Manufacturers known{{{"maker", {vendor.certificate}, {}}}, {}};
    const auto anchor = to_hex(vendor.key.spki_sha256());
    const auto text = "serial,label,name\nSN-1@maker,iot,a\nSN-1,,b\na@b,,c\nx%2Cy@" + anchor + ",,d\n";
    const auto inventory = ra::parse_inventory(text, "devices.csv", known);
    REQUIRE_MESSAGE(inventory, inventory.error().message);
    CHECK(inventory->size() == 4);
    CHECK(inventory->unnamed() == 2);
    CHECK(inventory->strange() == std::vector<std::string>{"a@b"});
    const auto name_for = [&](const std::string& serial, const std::string& its_anchor,
                              const std::string& maker) {
        const auto listed = inventory->listed(serial);
        const auto* entry = listed.find({"", serial, its_anchor, maker});
        return entry == nullptr ? std::string{} : entry->names.front();
    };
    CHECK(name_for("SN-1", anchor, "maker") == "a");
    CHECK(name_for("SN-1", "00", "other") == "b");
    CHECK(name_for("a@b", "00", "") == "c");
    CHECK(name_for("x,y", anchor, "") == "d");
    CHECK(name_for("x,y", "00", "").empty());
    CHECK(name_for("SN-2", anchor, "maker").empty());
    const auto twice = ra::parse_inventory("SN-1@maker\nSN-1@maker\n", "devices.csv", known);
    REQUIRE_FALSE(twice);
    CHECK(twice.error().message == "devices.csv: line 2: SN-1@maker occurs twice");
}

TEST_CASE("OPR-52: an inventory from a spreadsheet: a byte order mark, quoted fields, a quoted heading")
{
    const enrol::Manufacturers known;
    const auto read = [&](const std::string& text) {
        return ra::parse_inventory(text, "devices.csv", known);
    };
    for (const std::string heading : {"", "serial,label\r\n", "\"serial\",\"label\",\"name\"\r\n"}) {
        CAPTURE(heading);
        const auto inventory =
            read("\xEF\xBB\xBF" + heading + "\"FOC1234\",\"\",\"a\"\r\n\"X,1\",iot\r\nplain\r\n");
        REQUIRE(inventory);
        CHECK(inventory->size() == 3);
        REQUIRE(inventory->entries().contains("FOC1234"));
        CHECK(inventory->entries().at("FOC1234").front() == ra::InventoryEntry{"", {"a"}, ""});
        REQUIRE(inventory->entries().contains("X,1"));
        CHECK(inventory->entries().at("X,1").front().label == "iot");
        CHECK(inventory->entries().contains("plain"));
    }
    const auto semicolons = read("Serial;Label;Name\r\nFOC1234;;a\r\n\"X;1\";iot # the rack's\r\n;;\r\n");
    REQUIRE(semicolons);
    CHECK(semicolons->size() == 2);
    REQUIRE(semicolons->entries().contains("X;1"));
    CHECK(semicolons->entries().at("X;1").front().label == "iot");
    const auto unexplained = read("FOC1234;;a\r\n");
    REQUIRE(!unexplained);
    CHECK(unexplained.error().message == "devices.csv: line 1: a semicolon outside double quotes");
    const auto unclosed = read("SN-1\n\"SN-2,iot\n");
    REQUIRE(!unclosed);
    CHECK(unclosed.error().code == Errc::config);
    CHECK(unclosed.error().message == "devices.csv: line 2: a double quote is not closed");
    CHECK(!read(std::string{"S\0N\0", 4}));
    const Vendor vendor{"Maker CA"};
    const auto pem = "\xEF\xBB\xBF" + vendor.certificate.to_pem() + Vendor{"Other CA"}.certificate.to_pem();
    const auto certificates = crypto::parse_certificates(pem, "ca.pem");
    REQUIRE(certificates);
    CHECK(certificates->size() == 2);
}

TEST_CASE(
    "SEC-20: an anchor that is renewed with its key, or an intermediate trusted beside it, changes no device")
{
    Lab lab;
    const Vendor root{"Maker CA"};
    const auto issuing = root.below("Issuing CA");
    const auto device = issuing.idevid("SN-1");
    const auto ask = [&](const crypto::Certificate& anchor) {
        lab.options.idevid.trust = {lab.folder.write("anchor.pem", anchor.to_pem())};
        lab.open();
        auto request = Lab::request(device, Lab::csr(*crypto::generate_key("ec:P-256"), {"sn-1.domain.com"}));
        request.peer.certificates.push_back(issuing.certificate);
        return Lab::word(lab.enrol(std::move(request)));
    };
    CHECK(ask(root.certificate) == "issued");
    CHECK(ask(root.renewed()) == "issued");
    CHECK(ask(root.renewed("Maker CA", true)) == "issued");
    CHECK(ask(issuing.certificate) == "bad_identity"); // nothing says that the root vouches for it
    CHECK(ask(root.certificate) == "issued");
    lab.options.idevid.manufacturers = {
        {"", {lab.folder.write("root.pem.2", root.certificate.to_pem())}, {}, true}};
    CHECK(ask(issuing.certificate) == "issued"); // both are anchors now
    lab.options.idevid.manufacturers.clear();
    CHECK(ask(issuing.certificate) == "issued");
    CHECK(ask(root.certificate) == "issued");
}

TEST_CASE("SEC-20: long and odd serial numbers are told apart in names, blocks and budgets")
{
    TwoMakers makers;
    auto& lab = makers.lab;
    lab.options.limits.orders_per_device = 1;
    lab.options.labels[""] = {"", "", "random", ""};
    lab.open();
    const std::string head(300, 'x');
    std::vector<std::string> ids;
    for (const auto& serial : {head + "1", head + "2", std::string{"a\nb"}, std::string{"a?b"}}) {
        const auto device = makers.one.idevid(serial);
        const auto told = std::get<enrol::CsrAttributes>(lab.attributes(&device));
        CHECK(told.device_serial == serial);
        CHECK(makers.ask(device, told.identifiers.front().value) == "issued");
        ids.push_back(makers.last_device());
        CHECK(told.device == ids.back());
    }
    std::sort(ids.begin(), ids.end());
    CHECK(std::unique(ids.begin(), ids.end()) == ids.end());
    REQUIRE(lab.engine->block(head + "1"));
    REQUIRE(lab.engine->block("a%0Ab"));
    const auto is_blocked = [&](const std::string& serial) {
        const auto device = makers.one.idevid(serial);
        return std::holds_alternative<enrol::Refused>(lab.attributes(&device));
    };
    CHECK(is_blocked(head + "1"));
    CHECK_FALSE(is_blocked(head + "2"));
    CHECK(is_blocked("a\nb"));
    CHECK_FALSE(is_blocked("a?b"));
}

TEST_CASE("SEC-20: names, budgets, blocks, orders and certificates of an earlier version are the device's "
          "after the upgrade")
{
    TwoMakers makers;
    auto& lab = makers.lab;
    const Vendor only{"Old Maker"};
    lab.options.idevid.trust = {lab.folder.write("only.pem", only.certificate.to_pem())};
    lab.options.limits.orders_per_device = 3;
    const std::string former = "SN-1@CN=Old Maker";
    const auto old_key = *crypto::generate_key("ec:P-256");
    const auto old = lab.board->authority->issue(old_key, {{"dns", "sn-1.domain.com"}}, lab.now(), 24h * 90);
    REQUIRE(old);
    const auto csr = Lab::csr(lab.key, {"sn-5.domain.com"});
    const auto order = ra::order_id(to_hex(*crypto::info_digest(csr)), "", "", "SN-5@CN=Old Maker");
    make_former_store(
        lab.options.store.sqlite,
        {"INSERT INTO names VALUES ('sn-1.domain.com', '" + former + "', 'domain.com')",
         "INSERT INTO names VALUES ('r-old.domain.com', '" + former + "', 'random domain.com')",
         "INSERT INTO blocked VALUES ('SN-2@CN=Old Maker', 1)", "INSERT INTO blocked VALUES ('SN-3', 1)",
         fmt::format("INSERT INTO spent VALUES ({}, '{}', 0)", lab.clock.load(), former),
         fmt::format("INSERT INTO spent VALUES ({}, '{}', 0)", lab.clock.load(), former),
         fmt::format(
             "INSERT INTO orders VALUES ('{}', 1, 'SN-5@CN=Old Maker', 'SN-5', '', 'domain.com', '', 0, "
             "'dns:sn-5.domain.com', X'{}', 'https://ca.example/order/5', 0, 'r', {}, 0, '', 0, '')",
             order, to_hex(csr.der), lab.clock.load()),
         issued_row(old->front(), former, "SN-1", to_hex(old_key.spki_sha256()))});
    lab.options.labels["random"] = {"", "", "random", ""};
    lab.open();
    // The order is continued, and asking for the same finds it.
    CHECK(Lab::word(lab.enrol(Lab::request(only.idevid("SN-5"), csr))) == "issued");
    CHECK(lab.board->count() == 1);

    const auto device = only.idevid("SN-1");
    CHECK(std::get<enrol::CsrAttributes>(lab.attributes(&device, "random")).identifiers.front().value ==
          "r-old.domain.com");
    // With its certificate of then: still an identity, under the identifier of today.
    const auto by_old = std::get<enrol::CsrAttributes>(lab.attributes(&old->front()));
    CHECK(by_old.issued_here);
    CHECK(by_old.device == "SN-1@" + to_hex(only.key.spki_sha256()));
    CHECK(makers.ask(device) == "issued");
    CHECK(makers.last_device() == "SN-1@" + to_hex(only.key.spki_sha256()));
    CHECK(makers.ask(device) == "too_many"); // two of then, one of now
    CHECK(makers.ask(only.idevid("SN-2"), "sn-2.domain.com") == "forbidden");
    CHECK(makers.ask(only.idevid("SN-3"), "sn-3.domain.com") == "forbidden");
    CHECK(makers.ask(only.idevid("SN-4"), "sn-4.domain.com") == "issued");

    // What was adopted stays, whoever is trusted later.
    lab.options.limits.orders_per_device = 10;
    const Vendor twin{"Old Maker"};
    lab.options.idevid.trust.push_back(lab.folder.write("twin.pem", twin.certificate.to_pem()));
    lab.open();
    CHECK(makers.ask(twin.idevid("SN-1")) == "bad_identity");
    CHECK(makers.ask(device) == "issued");
    CHECK(std::get<enrol::CsrAttributes>(lab.attributes(&old->front())).device ==
          "SN-1@" + to_hex(only.key.spki_sha256()));
    REQUIRE(lab.engine->block(former));
    CHECK(makers.ask(device) == "forbidden");
    CHECK(std::get<enrol::Refused>(lab.attributes(&old->front())).why == Refusal::forbidden);
}

TEST_CASE("SEC-20: what an earlier version knew under one name of several CAs is nobody's until the "
          "inventory says whose")
{
    TwoMakers makers;
    auto& lab = makers.lab;
    const std::string former = "SN-1@CN=Maker CA";
    const auto old_key = *crypto::generate_key("ec:P-256");
    const auto old = lab.board->authority->issue(old_key, {{"dns", "sn-1.domain.com"}}, lab.now(), 24h * 90);
    REQUIRE(old);
    make_former_store(lab.options.store.sqlite,
                      {"INSERT INTO names VALUES ('sn-1.domain.com', '" + former + "', 'domain.com')",
                       "INSERT INTO blocked VALUES ('SN-2@CN=Maker CA', 1)",
                       issued_row(old->front(), former, "SN-1", to_hex(old_key.spki_sha256()))});
    lab.open();
    const auto ours = makers.one.idevid("SN-1");
    const auto theirs = makers.two.idevid("SN-1");
    CHECK(makers.ask(ours) == "bad_identity");
    CHECK(makers.ask(theirs) == "bad_identity");
    // Whoever it was meant for, a block stays one.
    CHECK(makers.ask(makers.one.idevid("SN-2"), "sn-2.domain.com") == "forbidden");
    CHECK(makers.ask(makers.two.idevid("SN-2"), "sn-2.domain.com") == "forbidden");
    CHECK(std::get<enrol::CsrAttributes>(lab.attributes(&old->front())).device == former);
    // Nor is it known which device has the old certificate: it is blocked with either.
    const auto our_id = "SN-1@" + to_hex(makers.one.key.spki_sha256());
    REQUIRE(lab.engine->block(our_id));
    CHECK(std::get<enrol::Refused>(lab.attributes(&old->front())).why == Refusal::forbidden);
    REQUIRE(lab.engine->unblock(our_id));

    makers.list("SN-1@one\n");
    lab.open();
    CHECK(makers.ask(theirs) == "forbidden");
    CHECK(makers.ask(ours) == "issued");
    CHECK(std::get<enrol::CsrAttributes>(lab.attributes(&old->front())).device == our_id);
}

TEST_CASE("SEC-19: a revoked key is found with a compressed point and with explicit parameters")
{
    Lab lab;
    lab.open();
    const auto device = lab.maker.idevid("SN-1");
    const auto ask = [&](const crypto::Key& key) {
        return Lab::word(lab.enrol(Lab::request(device, Lab::csr(key, {"sn-1.domain.com"}))));
    };
    const auto revoke = [&](const crypto::Key& key) {
        const auto issued = lab.enrol(Lab::request(device, Lab::csr(key, {"sn-1.domain.com"})));
        REQUIRE(Lab::word(issued) == "issued");
        REQUIRE(lab.engine->revoke(std::get<enrol::Issued>(issued).certificate.serial()));
    };
    for (const auto* type : {"ec:P-256", "ec:P-384"}) {
        const auto key = *crypto::generate_key(type);
        revoke(key);
        for (const auto& form : {key, compressed(key), with_explicit_curve(key)})
            CHECK(ask(form) == "forbidden");
        // The other way round.
        const auto other = *crypto::generate_key(type);
        revoke(compressed(other));
        CHECK(ask(other) == "forbidden");
        // Explicit parameters are refused in any case.
        CHECK(ask(with_explicit_curve(*crypto::generate_key(type))) == "unsupported_algorithm");
    }
    const auto explicit_key = with_explicit_curve(*crypto::generate_key("ec:P-256"));
    const auto odd = make_certificate(explicit_key, "device", "SN-1", lab.maker.key, lab.maker.name, false);
    const auto refused = lab.enrol(Lab::request(odd, Lab::csr(lab.key, {"sn-1.domain.com"})));
    REQUIRE(Lab::word(refused) == "unauthenticated");
    CHECK(std::get<enrol::Refused>(refused).text.find("explicit curve parameters") != std::string::npos);
}

TEST_CASE("SEC-19: a key that an earlier version revoked with a compressed point is found after the upgrade")
{
    Lab lab;
    const auto key = *crypto::generate_key("ec:P-256");
    const auto old =
        lab.board->authority->issue(compressed(key), {{"dns", "sn-1.domain.com"}}, lab.now(), 24h * 90);
    REQUIRE(old);
    const auto digest = to_hex(crypto::sha256(compressed(key).encoded_spki()));
    make_former_store(
        lab.options.store.sqlite,
        {issued_row(old->front(), "SN-1@CN=" + lab.maker.name, "SN-1", digest),
         fmt::format("INSERT INTO revoked VALUES ('{}', 1, '{}')", old->front().serial(), digest)});
    lab.open();
    CHECK(Lab::word(lab.enrol(Lab::request(lab.maker.idevid("SN-1"), Lab::csr(key, {"sn-1.domain.com"})))) ==
          "forbidden");
}

TEST_CASE("SEC-21: whether the client was authenticated is recorded with each refusal")
{
    Lab lab;
    lab.options.idevid.accept_any = false;
    lab.options.idevid.inventory = lab.folder.write("devices.csv", "SN-1\nSN-2\n");
    lab.open();
    REQUIRE(lab.engine->block("SN-2"));
    const auto refusal_of = [&](const crypto::Certificate& who, const crypto::Csr& csr) {
        const auto decision = lab.enrol(Lab::request(who, csr));
        REQUIRE(std::holds_alternative<enrol::Refused>(decision));
        return std::get<enrol::Refused>(decision);
    };
    const auto good = Lab::csr(lab.key, {"sn-1.domain.com"});
    const auto foreign = Lab::csr(lab.key, {"www.example.org"});
    auto no_request = good;
    no_request.der = {0x30, 0x80, 0, 0};
    const auto stranger = Maker{"Stranger"}.idevid("SN-1");
    for (const auto& csr : {good, foreign, no_request})
        CHECK_FALSE(refusal_of(stranger, csr).authenticated);
    CHECK(refusal_of(lab.maker.idevid("SN-1"), foreign).authenticated);
    CHECK(refusal_of(lab.maker.idevid("SN-2"), good).authenticated);
    CHECK(refusal_of(lab.maker.idevid("SN-3"), good).authenticated);
    const auto known = lab.maker.idevid("SN-1");
    CHECK(std::get<enrol::CsrAttributes>(lab.attributes(&known)).authenticated);
    CHECK_FALSE(std::get<enrol::CsrAttributes>(lab.attributes(&stranger)).authenticated);
    CHECK_FALSE(std::get<enrol::CsrAttributes>(lab.attributes(nullptr)).authenticated);
}

TEST_CASE("SEC-20: one CA under two names is a configuration error")
{
    const Folder folder;
    const Vendor vendor{"Maker CA"};
    const auto file = folder.write("one.pem", vendor.certificate.to_pem());
    ra::IdevidOptions options;
    options.manufacturers = {{"one", {file}, {}, true}, {"two", {file}, {}, false}};
    const auto read = ra::read_manufacturers(options);
    REQUIRE_FALSE(read);
    CHECK(read.error().reason.word() == "manufacturerName");
    options.manufacturers[1].name = "one";
    CHECK(ra::read_manufacturers(options));
}

TEST_CASE("INT-13b: one request of two devices is two orders")
{
    const auto csr = Lab::csr(*crypto::generate_key("ec:P-256"), {"sn-1.domain.com"});
    const auto info = to_hex(*crypto::info_digest(csr));
    const auto id = ra::order_id(info, "", "", "SN-1@CN=Maker CA");
    CHECK(id == ra::order_id(info, "", "", "SN-1@CN=Maker CA"));
    CHECK(id != ra::order_id(info, "", "", "SN-2@CN=Maker CA"));
    CHECK(id != ra::order_id(info, "", "", "SN-1@CN=Another CA"));
}
