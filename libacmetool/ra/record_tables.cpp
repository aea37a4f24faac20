#include "ra/records.h"

#include <algorithm>
#include <iterator>

#include <fmt/core.h>

#include "ra/inventory_records.h"
#include "ra/record_columns.h"
#include "store/copy_table.h"
#include "store/members.h"

/// The tables of the registration authority: what they are, how those of earlier versions become so, and how
/// they move to another database.
namespace acmetool::ra
{
namespace
{

constexpr unsigned kSchemaVersion = 8;
/// Of earlier versions; those before the last were of files. In the first, the digests of keys were over
/// their encoding, and devices had former_id(). That and the next had no subject of the CSR; the next had no
/// owners, the one after it no events, the next no inventory, the last no numbers of orders.
constexpr unsigned kEncodedKeysVersion = 2;
constexpr unsigned kNoOwnerVersion = 4;
constexpr unsigned kNoEventsVersion = 5;
constexpr unsigned kNoNumbersVersion = 7;

// Each page is written and waited for with every enrolment: what is asked seldom has no index, and long rows
// lie in the order they came, not each in another page by its digest. The two indexes of devices have all
// that counts and lists of a million devices read (bench/operators).
constexpr const char* kSchema[] = {
    "CREATE TABLE IF NOT EXISTS orders (id TEXT PRIMARY KEY, state BIGINT NOT NULL, device TEXT NOT NULL, "
    "device_serial TEXT NOT NULL, label TEXT NOT NULL, domain TEXT NOT NULL, profile TEXT NOT NULL, "
    "renewal BIGINT NOT NULL, identifiers TEXT NOT NULL, csr BYTEA NOT NULL, url TEXT NOT NULL, "
    "unsure BIGINT NOT NULL, request_id TEXT NOT NULL, created BIGINT NOT NULL, until BIGINT NOT NULL, "
    "certificate TEXT NOT NULL, "
    "why BIGINT NOT NULL, words TEXT NOT NULL, owner TEXT NOT NULL DEFAULT '', "
    "generation BIGINT NOT NULL DEFAULT 1, watched BIGINT NOT NULL DEFAULT 0, "
    "number BIGINT NOT NULL DEFAULT 0)",
    "CREATE INDEX IF NOT EXISTS orders_open ON orders (created) WHERE state < 2",
    "CREATE INDEX IF NOT EXISTS orders_url ON orders (url) WHERE url <> ''",
    "CREATE INDEX IF NOT EXISTS orders_until ON orders (until) WHERE state >= 2",
    "CREATE INDEX IF NOT EXISTS orders_device ON orders (device, number, created, id, state, until)",
    "CREATE INDEX IF NOT EXISTS orders_unnumbered ON orders (device) WHERE number = 0", // mostly empty
    "CREATE TABLE IF NOT EXISTS certificates (digest TEXT PRIMARY KEY, serial TEXT NOT NULL, device TEXT NOT "
    "NULL, device_serial TEXT NOT NULL, identifiers TEXT NOT NULL, csr_digest TEXT NOT NULL, key_digest TEXT "
    "NOT NULL, not_before BIGINT NOT NULL, not_after BIGINT NOT NULL, der BYTEA NOT NULL, subject BYTEA NOT "
    "NULL DEFAULT '')",
    "CREATE INDEX IF NOT EXISTS certificates_csr ON certificates (csr_digest)",
    "CREATE INDEX IF NOT EXISTS certificates_end ON certificates (not_after)",
    "CREATE INDEX IF NOT EXISTS certificates_serial ON certificates (serial)",
    "CREATE INDEX IF NOT EXISTS certificates_device ON certificates (device, not_after, not_before)",
    "CREATE TABLE IF NOT EXISTS revoked (serial TEXT PRIMARY KEY, at BIGINT NOT NULL, key_digest TEXT NOT "
    "NULL) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS revoked_key ON revoked (key_digest)",
    "CREATE TABLE IF NOT EXISTS blocked (device TEXT PRIMARY KEY, at BIGINT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS names (name TEXT PRIMARY KEY, device TEXT NOT NULL, domain TEXT NOT NULL) "
    "WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS names_device ON names (device, domain)",
    "CREATE TABLE IF NOT EXISTS former_ids (former TEXT PRIMARY KEY, device TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS intermediates (digest TEXT PRIMARY KEY, der BYTEA NOT NULL, until BIGINT NOT "
    "NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS spent (at BIGINT NOT NULL, device TEXT NOT NULL, renewal BIGINT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS events (at BIGINT NOT NULL, number BIGINT NOT NULL, level BIGINT NOT NULL, "
    "what TEXT NOT NULL, outcome TEXT NOT NULL, cause TEXT NOT NULL, words TEXT NOT NULL, hint TEXT NOT "
    "NULL, "
    "protocol TEXT NOT NULL, device TEXT NOT NULL, who TEXT NOT NULL, request_id TEXT NOT NULL, address TEXT "
    "NOT NULL, station TEXT NOT NULL, relay TEXT NOT NULL, times BIGINT NOT NULL, details TEXT NOT NULL, "
    "PRIMARY KEY (at, number)) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS events_who ON events (who, at) WHERE who <> ''",
    "CREATE INDEX IF NOT EXISTS events_refused ON events (at) "
    "WHERE what = 'decision' AND outcome = 'refused' AND who <> ''",
    "CREATE INDEX IF NOT EXISTS events_request ON events (request_id) WHERE request_id <> ''",
    "CREATE INDEX IF NOT EXISTS events_station ON events (station) WHERE station <> ''",
    // The inventory in force has the generation of the only row of inventory_state, `devices` entries, and
    // `unnamed` of these without a manufacturer; others are being imported, or removed. `changes` counts the
    // changes, `last_generation` is the last number that was given.
    "CREATE TABLE IF NOT EXISTS inventory (generation BIGINT NOT NULL, serial TEXT NOT NULL, whose TEXT NOT "
    "NULL, label TEXT NOT NULL, names TEXT NOT NULL, PRIMARY KEY (generation, serial, whose)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS inventory_state (one BIGINT PRIMARY KEY, generation BIGINT NOT NULL, devices "
    "BIGINT NOT NULL, unnamed BIGINT NOT NULL, changes BIGINT NOT NULL, last_generation BIGINT NOT NULL) "
    "WITHOUT ROWID",
};

/// What only several processes on one database need.
constexpr std::string_view kSharedSchema[] = {
    store::Members::kTable,
    "CREATE INDEX IF NOT EXISTS orders_owner ON orders (owner) WHERE state < 2",
    "CREATE UNIQUE INDEX IF NOT EXISTS names_random ON names (device, domain) WHERE domain LIKE 'random %'",
    "CREATE INDEX IF NOT EXISTS spent_at ON spent (at)",
    "CREATE INDEX IF NOT EXISTS spent_device ON spent (device, at)",
    "CREATE TABLE IF NOT EXISTS leases (what TEXT PRIMARY KEY, run TEXT NOT NULL, until BIGINT NOT NULL)",
};

constexpr std::size_t kNumberedAtOnce = 20'000; ///< devices on a server: orders of others go on meanwhile

/// Revocations of the former version, whose keys must be found in whatever form they come.
Result<void> find_revoked_keys(store::Database& database)
{
    ACMETOOL_TRY(rows, database.execute("SELECT serial, der FROM certificates WHERE serial IN "
                                        "(SELECT serial FROM revoked)"));
    for (const auto& row : rows)
        if (const auto digest = columns::key_digest_of(row[1]); !digest.empty())
            ACMETOOL_CHECK(
                database.execute("UPDATE revoked SET key_digest = $2 WHERE serial = $1", {row[0], digest}));
    return {};
}

/// In a transaction, in which another program may have waited for the same.
Result<void> upgrade(store::Database& database)
{
    ACMETOOL_TRY(from, database.version());
    if (from == kSchemaVersion) return {};
    if (from == kEncodedKeysVersion) ACMETOOL_CHECK(find_revoked_keys(database));
    if (from < kNoOwnerVersion)
        ACMETOOL_CHECK(
            database.execute("ALTER TABLE certificates ADD COLUMN subject BYTEA NOT NULL DEFAULT ''"));
    if (from < kNoEventsVersion)
        for (const auto* column : {"owner TEXT NOT NULL DEFAULT ''", "generation BIGINT NOT NULL DEFAULT 1",
                                   "watched BIGINT NOT NULL DEFAULT 0"})
            ACMETOOL_CHECK(database.execute(fmt::format("ALTER TABLE orders ADD COLUMN {}", column)));
    for (const auto* sql : {"ALTER TABLE orders ADD COLUMN number BIGINT NOT NULL DEFAULT 0",
                            "DROP INDEX IF EXISTS orders_device"})
        ACMETOOL_CHECK(database.execute(sql));
    ACMETOOL_CHECK(Records::number_orders(database));
    return database.create({std::begin(kSchema), std::end(kSchema)}, kSchemaVersion, from);
}

} // namespace

Result<std::unique_ptr<store::Database>> Records::open(const store::Options& options, store::Use use)
{
    ACMETOOL_TRY(database, store::open_database(options, use));
    ACMETOOL_TRY(version, database->version());
    if (database->is_shared()) {
        if (version == kSchemaVersion) return std::move(database);
        if (version == 0)
            return fail(Errc::config, fmt::format("database {}: there are no tables", database->id()),
                        "create them with store init", "noStore");
        return fail(Errc::config,
                    fmt::format("database {}: its tables are of version {}, this program's of {}",
                                database->id(), version, kSchemaVersion),
                    version < kSchemaVersion ? "bring them up to date with store upgrade"
                                             : "run the version that made them",
                    "storeVersion");
    }
    if (version >= kEncodedKeysVersion && version < kSchemaVersion) {
        ACMETOOL_CHECK(database->begin());
        auto done = upgrade(*database);
        if (done) done = database->commit();
        if (!done) {
            database->rollback();
            return fail(done.error());
        }
    } else {
        ACMETOOL_CHECK(database->create({std::begin(kSchema), std::end(kSchema)}, kSchemaVersion));
    }
    // A relay of the version before may have gone on after another program opened its file.
    if (use == store::Use::owning) ACMETOOL_CHECK(number_orders(*database));
    return std::move(database);
}

Result<void> Records::number_orders(store::Database& database)
{
    const auto sql = fmt::format(
        "UPDATE orders SET number = ranked.place FROM (SELECT id, ROW_NUMBER() OVER (PARTITION BY device "
        "ORDER BY created, number, id) AS place FROM orders WHERE device IN (SELECT DISTINCT device FROM "
        "orders WHERE number = 0{})) AS ranked WHERE ranked.id = orders.id",
        database.is_shared() ? fmt::format(" LIMIT {}", kNumberedAtOnce) : "");
    for (;;) {
        ACMETOOL_TRY(left, database.execute("SELECT 1 FROM orders WHERE number = 0 LIMIT 1"));
        if (left.empty()) return {};
        ACMETOOL_CHECK(database.execute(sql));
    }
}

Result<void> Records::prepare(store::Database& database)
{
    std::vector<std::string_view> statements{std::begin(kSchema), std::end(kSchema)};
    statements.insert(statements.end(), std::begin(kSharedSchema), std::end(kSharedSchema));
    ACMETOOL_TRY(version, database.version());
    if (version >= kNoEventsVersion && version <= kNoNumbersVersion)
        for (const auto* sql :
             {"ALTER TABLE orders ADD COLUMN IF NOT EXISTS number BIGINT NOT NULL DEFAULT 0",
              "DROP INDEX IF EXISTS orders_device"})
            ACMETOOL_CHECK(database.execute(sql));
    return database.create(statements, kSchemaVersion,
                           std::clamp(version, kNoEventsVersion, kNoNumbersVersion));
}

Result<std::uint64_t> Records::copy(store::Database& from, store::Database& to)
{
    using store::ColumnType::number;
    using store::ColumnType::octets;
    std::uint64_t rows = 0;
    const auto table = [&](std::string_view name, std::string_view key,
                           const std::vector<store::Column>& columns) -> Result<void> {
        ACMETOOL_TRY(copied, store::copy_table(from, to, name, key, columns));
        rows += copied;
        return {};
    };
    // Orders under way have no owner then, and are taken over.
    ACMETOOL_CHECK(table("orders", "id",
                         {{"id"},
                          {"state", number},
                          {"device"},
                          {"device_serial"},
                          {"label"},
                          {"domain"},
                          {"profile"},
                          {"renewal", number},
                          {"identifiers"},
                          {"csr", octets},
                          {"url"},
                          {"unsure", number},
                          {"request_id"},
                          {"created", number},
                          {"until", number},
                          {"certificate"},
                          {"why", number},
                          {"words"},
                          {"number", number}}));
    ACMETOOL_CHECK(table("certificates", "digest",
                         {{"digest"},
                          {"serial"},
                          {"device"},
                          {"device_serial"},
                          {"identifiers"},
                          {"csr_digest"},
                          {"key_digest"},
                          {"not_before", number},
                          {"not_after", number},
                          {"der", octets},
                          {"subject", octets}}));
    ACMETOOL_CHECK(table("revoked", "serial", {{"serial"}, {"at", number}, {"key_digest"}}));
    ACMETOOL_CHECK(table("blocked", "device", {{"device"}, {"at", number}}));
    ACMETOOL_CHECK(table("names", "name", {{"name"}, {"device"}, {"domain"}}));
    ACMETOOL_CHECK(table("former_ids", "former", {{"former"}, {"device"}}));
    ACMETOOL_CHECK(table("intermediates", "digest", {{"digest"}, {"der", octets}, {"until", number}}));
    ACMETOOL_CHECK(table("spent", "", {{"at", number}, {"device"}, {"renewal", number}}));
    ACMETOOL_CHECK(table("events", "at",
                         {{"at", number},
                          {"number", number},
                          {"level", number},
                          {"what"},
                          {"outcome"},
                          {"cause"},
                          {"words"},
                          {"hint"},
                          {"protocol"},
                          {"device"},
                          {"who"},
                          {"request_id"},
                          {"address"},
                          {"station"},
                          {"relay"},
                          {"times", number},
                          {"details"}}));
    ACMETOOL_CHECK(table("inventory_state", "one",
                         {{"one", number},
                          {"generation", number},
                          {"devices", number},
                          {"unnamed", number},
                          {"changes", number},
                          {"last_generation", number}}));
    ACMETOOL_TRY(listed, InventoryRecords::copy(from, to));
    return rows + listed;
}

} // namespace acmetool::ra
