#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include <doctest/doctest.h>
#include <stdlib.h>

#include "brski/voucher.h"
#include "registrar/records.h"
#include "store/sqlite.h"

namespace acmetool::registrar
{

namespace
{

struct RecordsPlace {
    RecordsPlace() { REQUIRE(mkdtemp(folder.data()) != nullptr); }
    ~RecordsPlace() { std::filesystem::remove_all(folder); }
    RecordsPlace(const RecordsPlace&) = delete;
    RecordsPlace& operator=(const RecordsPlace&) = delete;
    std::unique_ptr<store::Database> connect() const
    {
        auto opened = store::Sqlite::open(folder + "/relay.db");
        REQUIRE(opened);
        return std::move(*opened);
    }

    std::string folder = "/tmp/records-test.XXXXXX";
};

Record make_record(const std::string& id, State state)
{
    Record record;
    record.id = id;
    record.serial = "SN-" + id;
    record.manufacturer = "maker";
    record.state = state;
    record.masa_url = "https://masa.example.com/.well-known/brski";
    record.since = *base::parse_rfc3339("2026-01-02T03:04:05Z");
    record.request_digest = "digest of " + id;
    record.registrar_request = {0, 1, 2};
    record.media_type = "application/voucher-cms+json";
    record.accept = "*/*";
    record.nonce = brski::new_nonce();
    return record;
}

/// The tables as the version before this one made them, with what it wrote.
void make_first_version(store::Database& database)
{
    for (const auto* sql : {
             "CREATE TABLE brski_devices (id TEXT PRIMARY KEY, serial TEXT NOT NULL, manufacturer TEXT NOT "
             "NULL, state TEXT NOT NULL, request_digest TEXT NOT NULL, registrar_request BLOB NOT NULL, "
             "media_type TEXT NOT NULL, accept TEXT NOT NULL, nonce TEXT NOT NULL, masa_url TEXT NOT NULL, "
             "voucher BLOB NOT NULL, voucher_type TEXT NOT NULL, status INTEGER NOT NULL, reason TEXT NOT "
             "NULL, since TEXT NOT NULL, voucher_status TEXT NOT NULL, enroll_status TEXT NOT NULL, "
             "certificate TEXT NOT NULL)",
             "CREATE TABLE brski_nonces (id TEXT NOT NULL, nonce TEXT NOT NULL, PRIMARY KEY (id, nonce))",
             "INSERT INTO brski_devices VALUES ('a', 'SN-a', 'maker', 'forwarded', 'd1', X'000102', 'type', "
             "'*/*', 'AAAA', 'https://masa', X'0304', 'kind', 0, '', '2026-01-02T03:04:05Z', 'success', "
             "'failure', 'c1')",
             "INSERT INTO brski_devices VALUES ('b', 'SN-b', 'maker', 'refused', 'd2', X'', 'type', '*/*', "
             "'BBBB', 'https://masa', X'', '', 404, 'unknown', '2026-01-02T03:04:05Z', '', '', '')",
             "INSERT INTO brski_devices VALUES ('c', 'SN-c', 'maker', 'asking', 'd3', X'05', 'type', '*/*', "
             "'CCCC', 'https://masa', X'', '', 0, 'later', '2026-01-02T03:04:05Z', '', '', '')",
             "INSERT INTO brski_devices VALUES ('d', 'SN-d', 'other', 'refused', 'd4', X'', 'type', '*/*', "
             "'DDDD', 'https://masa', X'', '', 504, '', '2026-01-02T03:04:05Z', '', '', '')",
             "INSERT INTO brski_devices VALUES ('e', 'SN-e', 'other', 'refused', 'd5', X'', 'type', '*/*', "
             "'FFFF', 'https://masa', X'', '', 403, '', '2026-01-02T03:04:05Z', '', '', '')",
             "INSERT INTO brski_nonces VALUES ('a', 'AAAA'), ('a', 'EEEE'), ('b', 'BBBB')",
         })
        REQUIRE(database.execute(sql));
}

} // namespace

TEST_CASE("A registrar's store of the version before is taken over, once")
{
    const RecordsPlace place;
    make_first_version(*place.connect());
    for (int run = 0; run < 2; ++run) {
        const auto database = place.connect();
        Records records{*database};
        const auto made = records.create();
        if (!made) FAIL(made.error().message);
        const auto a = records.record("a");
        REQUIRE(a);
        REQUIRE(*a);
        CHECK((*a)->serial == "SN-a");
        CHECK((*a)->state == State::forwarded);
        CHECK((*a)->registrar_request == Bytes{0, 1, 2});
        CHECK((*a)->voucher == Bytes{3, 4});
        CHECK((*a)->voucher_status == "success");
        CHECK((*a)->enroll_status == "failure");
        CHECK(base::to_rfc3339((*a)->since) == "2026-01-02T03:04:05Z");
        CHECK((*records.device_by_certificate("c1"))->id == "a");
        CHECK((*records.device({"b", {}}))->cause == Cause::masa_unknown);
        CHECK((*records.device({"b", {}}))->reason == "unknown");
        CHECK((*records.device({"d", {}}))->cause == Cause::masa_silent);
        CHECK((*records.device({"e", {}}))->cause == Cause::masa_refused);
        CHECK((*records.device({"c", {}}))->cause == Cause::none);
        REQUIRE(records.open_records("maker")->size() == 1);
        CHECK(records.open_records("maker")->front().id == "c");
        CHECK(records.count()->by_state[State::refused] == 3);
        CHECK(records.count()->by_state[State::asking] == 1);
        CHECK(records.count()->by_state[State::ready] == 0);
        CHECK(records.count()->enrolled == 1);
        CHECK(records.nonces("a")->size() == 2);
    }
}

TEST_CASE("A registrar's store without nonces has those of the last requests (SEC-13)")
{
    const RecordsPlace place;
    const auto database = place.connect();
    Records records{*database};
    REQUIRE(records.create());
    REQUIRE(*records.put(make_record("a", State::forwarded), ""));
    REQUIRE(database->execute("DROP TABLE brski_nonces"));
    REQUIRE(records.create());
    CHECK(records.nonces("a")->size() == 1);
    REQUIRE(records.remember_nonce("a", make_record("a", State::forwarded).nonce));
    CHECK(records.nonces("a")->size() == 2);
}

TEST_CASE("A registrar's store of a later version is refused")
{
    const RecordsPlace place;
    const auto database = place.connect();
    Records records{*database};
    REQUIRE(records.create());
    REQUIRE(database->execute("UPDATE brski_schema SET version = 4"));
    const auto opened = records.create();
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code == Errc::config);
    CHECK(opened.error().reason.word() == "storeVersion");
}

TEST_CASE("A record keeps what the device said until the device asks with another request")
{
    const RecordsPlace place;
    const auto database = place.connect();
    Records records{*database};
    REQUIRE(records.create());
    auto record = make_record("a", State::asking);
    REQUIRE(*records.put(record, ""));
    REQUIRE(records.set_voucher_status("a", "success"));
    REQUIRE(records.set_enroll_status("a", "failure: no"));
    REQUIRE(records.set_certificate("a", "c1"));
    record.state = State::refused;
    record.cause = Cause::bad_audit_log;
    record.reason = "why";
    REQUIRE(*records.put(record, ""));
    auto device = *records.device({"a", {}});
    CHECK(device->state == State::refused);
    CHECK(device->cause == Cause::bad_audit_log);
    CHECK(device->reason == "why");
    CHECK(device->voucher_status == "success");
    CHECK(device->enroll_status == "failure: no");
    CHECK(device->certificate == "c1");
    const auto first = std::exchange(record.request_digest, "another");
    CHECK_FALSE(*records.put(record, "third"));
    CHECK((*records.device({"a", {}}))->voucher_status == "success");
    REQUIRE(*records.put(record, first));
    device = *records.device({"a", {}});
    CHECK(device->voucher_status.empty());
    CHECK(device->enroll_status.empty());
    CHECK_FALSE(*records.device_by_certificate("c1"));
    CHECK_FALSE(*records.device_by_certificate(""));
}

TEST_CASE("OPR-23: a request that was refused, or whose voucher is not taken, is opened again or removed; "
          "others are not")
{
    const RecordsPlace place;
    const auto database = place.connect();
    Records records{*database};
    REQUIRE(records.create());
    const auto now = *base::parse_rfc3339("2027-01-02T03:04:05Z");
    for (const auto state : {State::asking, State::auditing, State::ready, State::forwarded}) {
        REQUIRE(*records.put(make_record("a", state), ""));
        CHECK_FALSE(*records.reopen("a", now));
        CHECK_FALSE(*records.forget("a"));
        CHECK_FALSE(*records.last_refused());
        CHECK_FALSE(*records.last_not_taken());
    }
    const auto reopened = [&] {
        CHECK(*records.reopen("a", now));
        const auto record = **records.record("a");
        CHECK(record.state == State::asking);
        CHECK(record.since == now);
        CHECK(record.cause == Cause::none);
        CHECK(record.reason.empty());
        CHECK(record.voucher.empty());
        CHECK(record.voucher_status.empty());
        CHECK(record.owner.empty());
        CHECK(record.request_digest == make_record("a", State::asking).request_digest);
    };
    REQUIRE(records.set_voucher_status("a", "failure: not signed by mine"));
    CHECK((*records.last_not_taken())->id == "a");
    reopened();
    CHECK_FALSE(*records.last_not_taken());
    auto refused = make_record("a", State::refused);
    refused.cause = Cause::masa_unknown;
    refused.reason = "the MASA answered 404";
    refused.owner = "another run";
    REQUIRE(*records.put(refused, ""));
    CHECK((*records.last_refused())->reason == "the MASA answered 404");
    reopened();
    REQUIRE(*records.put(refused, ""));
    REQUIRE(records.remember_nonce("a", refused.nonce));
    CHECK(*records.forget("a"));
    CHECK_FALSE(*records.record("a"));
    CHECK_FALSE(*records.forget("a"));
    CHECK(records.nonces("a")->size() == 1);
    // Of those that wait, only for a MASA that does not answer.
    auto waiting = make_record("b", State::asking);
    REQUIRE(*records.put(waiting, ""));
    CHECK_FALSE(*records.waits_for_silent_masa());
    waiting.cause = Cause::masa_silent;
    REQUIRE(*records.put(waiting, ""));
    CHECK((*records.waits_for_silent_masa())->id == "b");
}

TEST_CASE("The newest thousand nonces of a device are kept, and those of other devices")
{
    const RecordsPlace place;
    const auto database = place.connect();
    Records records{*database};
    REQUIRE(records.create());
    const auto nonce = [] { return make_record("a", State::asking).nonce; };
    REQUIRE(records.remember_nonce("other", nonce()));
    const auto first = nonce();
    auto last = first;
    REQUIRE(database->begin());
    REQUIRE(records.remember_nonce("a", first));
    for (int i = 0; i < 1'005; ++i) {
        last = nonce();
        REQUIRE(records.remember_nonce("a", last));
    }
    REQUIRE(database->commit());
    const auto kept = *records.nonces("a");
    CHECK(kept.size() == 1'000);
    CHECK(kept.contains(*brski::nonce_octets(last)));
    CHECK_FALSE(kept.contains(*brski::nonce_octets(first)));
    CHECK(records.nonces("other")->size() == 1);
}

TEST_CASE("Devices are found by indexes, not by a scan")
{
    const RecordsPlace place;
    const auto database = place.connect();
    REQUIRE(Records{*database}.create());
    for (const auto* where : {"id = $1", "certificate = $1 AND certificate <> ''",
                              "manufacturer = $1 AND state IN ('asking', 'auditing')",
                              "state IN ('refused') AND since >= $1 ORDER BY since DESC LIMIT 1"}) {
        const auto plan = database->execute(
            std::string{"EXPLAIN QUERY PLAN SELECT serial FROM brski_devices WHERE "} + where,
            {std::string_view{"x"}});
        REQUIRE(plan);
        REQUIRE(plan->size() == 1);
        CHECK_MESSAGE(plan->front().back().find("SEARCH brski_devices USING INDEX") == 0,
                      plan->front().back());
    }
    // What the status counts is in indexes: no row is read, each of which has a voucher.
    for (const auto* counted : {"state, COUNT(*) FROM brski_devices GROUP BY state",
                                "COUNT(*) FROM brski_devices WHERE certificate <> ''"}) {
        const auto plan = database->execute(std::string{"EXPLAIN QUERY PLAN SELECT "} + counted);
        REQUIRE(plan);
        CHECK_MESSAGE(plan->front().back().find("USING COVERING INDEX") != std::string::npos,
                      plan->front().back());
    }
    const auto last =
        database->execute("EXPLAIN QUERY PLAN SELECT serial FROM brski_devices "
                          "WHERE substr(voucher_status, 1, 7) = 'failure' ORDER BY since DESC LIMIT 1");
    REQUIRE(last);
    CHECK(last->size() == 1); // no row to sort: in the index are those of interest alone, and in order
    CHECK(last->front().back().find("USING INDEX brski_devices_not_taken") != std::string::npos);
}

TEST_CASE("OPR-06: devices without voucher come in pages, of which none has one twice and none is left out")
{
    const RecordsPlace place;
    const auto database = place.connect();
    Records records{*database};
    REQUIRE(records.create());
    const auto first = *base::parse_rfc3339("2026-01-02T03:04:05Z");
    for (int i = 0; i < 7; ++i) {
        auto record = make_record(std::to_string(i), i == 6 ? State::forwarded : State::asking);
        record.since = first + std::chrono::seconds{i / 3}; // three of the same time
        REQUIRE(*records.put(record, ""));
    }
    std::string seen;
    std::optional<store::Behind> behind;
    for (;;) {
        const auto page = records.without_voucher(false, first, behind, 2);
        REQUIRE(page);
        if (page->empty()) break;
        for (const auto& device : *page)
            seen += device.id;
        behind = store::Behind{page->back().since, page->back().id};
    }
    CHECK(seen == "345012");
    CHECK(records.without_voucher(false, first, store::Behind{first + std::chrono::seconds{1}, {}}, 9)
              ->size() == 3);
    CHECK(records.without_voucher(true, first, std::nullopt, 9)->empty());
}

} // namespace acmetool::registrar
