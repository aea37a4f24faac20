#include "registrar/records.h"

#include <array>

#include <fmt/core.h>

#include "brski/voucher.h"
#include "store/copy_table.h"
#include "store/members.h"

namespace acmetool::registrar
{
namespace
{

constexpr int kVersion = 3;
constexpr std::string_view kCreateVersion =
    "CREATE TABLE IF NOT EXISTS brski_schema (version BIGINT NOT NULL)";
/// The tables as the version wrote them that did not note its number, then as they are now.
constexpr const char* kFromFirst[] = {
    "CREATE TABLE IF NOT EXISTS brski_devices (id TEXT PRIMARY KEY, serial TEXT NOT NULL, manufacturer TEXT "
    "NOT NULL, state TEXT NOT NULL, request_digest TEXT NOT NULL, registrar_request BYTEA NOT NULL, "
    "media_type TEXT NOT NULL, accept TEXT NOT NULL, nonce TEXT NOT NULL, masa_url TEXT NOT NULL, "
    "voucher BYTEA NOT NULL, voucher_type TEXT NOT NULL, status BIGINT NOT NULL, reason TEXT NOT NULL, "
    "since TEXT NOT NULL, voucher_status TEXT NOT NULL, enroll_status TEXT NOT NULL, "
    "certificate TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS brski_nonces (id TEXT NOT NULL, nonce TEXT NOT NULL, PRIMARY KEY (id, "
    "nonce))",
    // `status` was that of HTTP: the causes are masa_unknown, masa_no_such_format, masa_silent, masa_refused.
    "ALTER TABLE brski_devices ADD COLUMN cause BIGINT NOT NULL DEFAULT 0",
    "UPDATE brski_devices SET cause = CASE status WHEN 404 THEN 15 WHEN 406 THEN 16 WHEN 504 THEN 17 ELSE 14 "
    "END WHERE state = 'refused'",
    "ALTER TABLE brski_devices DROP COLUMN status",
    // The order among those that are there is not known; all are older than what comes.
    "ALTER TABLE brski_nonces ADD COLUMN place BIGINT NOT NULL DEFAULT 0",
};
constexpr int kNoOwnerVersion = 2;
constexpr std::string_view kAddOwner = "ALTER TABLE brski_devices ADD COLUMN owner TEXT NOT NULL DEFAULT ''";
constexpr const char* kIndexes[] = {
    "DROP INDEX IF EXISTS brski_devices_manufacturer",
    "CREATE INDEX IF NOT EXISTS brski_devices_state ON brski_devices (state, since)",
    "CREATE INDEX IF NOT EXISTS brski_devices_open ON brski_devices (manufacturer) "
    "WHERE state IN ('asking', 'auditing')",
    "CREATE INDEX IF NOT EXISTS brski_devices_certificate ON brski_devices (certificate) "
    "WHERE certificate <> ''",
    "CREATE INDEX IF NOT EXISTS brski_devices_not_taken ON brski_devices (since) "
    "WHERE substr(voucher_status, 1, 7) = 'failure'",
};
/// What this registrar asked for, to know its own vouchers in audit logs (RFC 8995 section 5.8.3). Files
/// without that table have at least the nonces of the last requests.
constexpr const char* kNonces[] = {
    "CREATE TABLE IF NOT EXISTS brski_nonces (id TEXT NOT NULL, nonce TEXT NOT NULL, "
    "place BIGINT NOT NULL DEFAULT 0, PRIMARY KEY (id, nonce))",
    "INSERT INTO brski_nonces (id, nonce) SELECT id, nonce FROM brski_devices "
    "WHERE NOT EXISTS (SELECT 1 FROM brski_nonces)",
};

constexpr std::string_view kDeviceColumns =
    "id, serial, manufacturer, state, masa_url, since, cause, reason, "
    "voucher_status, enroll_status, certificate";
constexpr std::string_view kRecordColumns =
    "request_digest, registrar_request, media_type, accept, nonce, voucher, voucher_type, owner";

constexpr std::string_view kPut =
    "INSERT INTO brski_devices (id, serial, manufacturer, state, masa_url, since, cause, reason, "
    "request_digest, registrar_request, media_type, accept, nonce, voucher, voucher_type, owner, "
    "voucher_status, enroll_status, certificate) "
    "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, '', '', '') "
    "ON CONFLICT (id) DO UPDATE SET serial = excluded.serial, manufacturer = excluded.manufacturer, "
    "state = excluded.state, masa_url = excluded.masa_url, since = excluded.since, cause = excluded.cause, "
    "reason = excluded.reason, request_digest = excluded.request_digest, "
    "registrar_request = excluded.registrar_request, media_type = excluded.media_type, "
    "accept = excluded.accept, nonce = excluded.nonce, voucher = excluded.voucher, "
    "voucher_type = excluded.voucher_type, owner = excluded.owner, "
    "voucher_status = CASE WHEN brski_devices.request_digest = excluded.request_digest "
    "THEN brski_devices.voucher_status ELSE '' END, "
    "enroll_status = CASE WHEN brski_devices.request_digest = excluded.request_digest "
    "THEN brski_devices.enroll_status ELSE '' END, "
    "certificate = CASE WHEN brski_devices.request_digest = excluded.request_digest "
    "THEN brski_devices.certificate ELSE '' END "
    "WHERE brski_devices.request_digest IN (excluded.request_digest, $17) RETURNING 1";
constexpr std::string_view kUpdate =
    "UPDATE brski_devices SET serial = $2, manufacturer = $3, state = $4, masa_url = $5, since = $6, cause = "
    "$7, "
    "reason = $8, registrar_request = $10, media_type = $11, accept = $12, nonce = $13, voucher = $14, "
    "voucher_type = $15, owner = $16 WHERE id = $1 AND request_digest = $9 RETURNING 1";
constexpr std::string_view kPutNonce =
    "INSERT INTO brski_nonces (id, nonce, place) SELECT $1, $2, COALESCE(MAX(place), 0) + 1 "
    "FROM brski_nonces WHERE id = $1 ON CONFLICT DO NOTHING";
constexpr std::string_view kForgetNonces =
    "DELETE FROM brski_nonces WHERE id = $1 AND place < (SELECT place FROM brski_nonces WHERE id = $1 "
    "ORDER BY place DESC LIMIT 1 OFFSET 999)";

constexpr std::string_view kWithoutGoodVoucher = "(state = 'refused' OR (state NOT IN ('asking', 'auditing') "
                                                 "AND substr(voucher_status, 1, 7) = 'failure'))";

constexpr std::array<std::pair<State, std::string_view>, 5> kStates{{{State::asking, "asking"},
                                                                     {State::auditing, "auditing"},
                                                                     {State::ready, "ready"},
                                                                     {State::forwarded, "forwarded"},
                                                                     {State::refused, "refused"}}};

Bytes octets_of(const std::string& column)
{
    return {column.begin(), column.end()};
}

Result<void> read_device(Device& device, const store::Database::Row& row)
{
    device.id = row[0];
    device.serial = row[1];
    device.manufacturer = row[2];
    for (const auto& [value, name] : kStates)
        if (row[3] == name) device.state = value;
    device.masa_url = row[4];
    ACMETOOL_TRY(since, base::parse_rfc3339(row[5]));
    device.since = since;
    device.cause = static_cast<Cause>(store::number_of(row[6]));
    device.reason = row[7];
    device.voucher_status = row[8];
    device.enroll_status = row[9];
    device.certificate = row[10];
    return {};
}

Result<std::vector<Device>> devices_of(const std::vector<store::Database::Row>& rows)
{
    std::vector<Device> devices(rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i)
        ACMETOOL_CHECK(read_device(devices[i], rows[i]));
    return devices;
}

Result<Record> record_of(const store::Database::Row& row)
{
    Record record;
    ACMETOOL_CHECK(read_device(record, row));
    record.request_digest = row[11];
    record.registrar_request = octets_of(row[12]);
    record.media_type = row[13];
    record.accept = row[14];
    record.nonce = row[15];
    record.voucher = octets_of(row[16]);
    record.voucher_type = row[17];
    record.owner = row[18];
    record.owner_is_alive = row[19] == "1";
    return record;
}

/// A column: whether another process has the record.
std::string alive(const store::Database& database)
{
    return database.is_shared()
               ? fmt::format("CASE WHEN {} THEN 1 ELSE 0 END", store::Members::is_alive(database, "owner"))
               : "0";
}

Result<void> bring_up_to_date(store::Database& database)
{
    ACMETOOL_CHECK(database.create({kCreateVersion}, 0));
    ACMETOOL_TRY(found, database.execute("SELECT version FROM brski_schema"));
    if (found.empty()) {
        for (const auto statement : kFromFirst)
            ACMETOOL_CHECK(database.create({statement}, 0));
        ACMETOOL_CHECK(database.create({kAddOwner}, 0));
        ACMETOOL_CHECK(database.execute("INSERT INTO brski_schema VALUES ($1)", {std::int64_t{kVersion}}));
    } else if (store::number_of(found.front().front()) == kNoOwnerVersion) {
        ACMETOOL_CHECK(database.execute("UPDATE brski_schema SET version = $1", {std::int64_t{kVersion}}));
        ACMETOOL_CHECK(database.create({kAddOwner}, 0));
    } else if (store::number_of(found.front().front()) != kVersion) {
        return fail(Errc::config,
                    "the registrar's tables in the store were made by another version of this program",
                    "run the version that made them", "storeVersion");
    }
    for (const auto statement : kNonces)
        ACMETOOL_CHECK(database.create({statement}, 0));
    for (const auto statement : kIndexes)
        ACMETOOL_CHECK(database.create({statement}, 0));
    return {};
}

} // namespace

std::string_view name_of(State state)
{
    for (const auto& [value, name] : kStates)
        if (value == state) return name;
    return {};
}

bool is_decided(State state)
{
    return state == State::ready || state == State::forwarded || state == State::refused;
}

Result<void> Records::prepare(store::Database& database)
{
    return bring_up_to_date(database);
}

Result<std::uint64_t> Records::copy(store::Database& from, store::Database& to)
{
    using store::ColumnType::number;
    using store::ColumnType::octets;
    ACMETOOL_TRY(devices, store::copy_table(from, to, "brski_devices", "id",
                                            {{"id"},
                                             {"serial"},
                                             {"manufacturer"},
                                             {"state"},
                                             {"masa_url"},
                                             {"since"},
                                             {"cause", number},
                                             {"reason"},
                                             {"request_digest"},
                                             {"registrar_request", octets},
                                             {"media_type"},
                                             {"accept"},
                                             {"nonce"},
                                             {"voucher", octets},
                                             {"voucher_type"},
                                             {"voucher_status"},
                                             {"enroll_status"},
                                             {"certificate"}}));
    ACMETOOL_TRY(nonces, store::copy_table(from, to, "brski_nonces", "(id || ' ' || nonce)",
                                           {{"id"}, {"nonce"}, {"place", number}}));
    return devices + nonces;
}

Result<void> Records::create()
{
    if (database_->is_shared()) return {};
    ACMETOOL_CHECK(database_->begin());
    auto done = bring_up_to_date(*database_);
    if (done) done = database_->commit();
    if (!done) database_->rollback();
    return done;
}

Result<std::optional<Device>> Records::one_device(std::string_view sql,
                                                  const std::vector<store::Database::Value>& parameters)
{
    ACMETOOL_TRY(rows, database_->execute(sql, parameters));
    if (rows.empty()) return std::optional<Device>{};
    Device device;
    ACMETOOL_CHECK(read_device(device, rows.front()));
    return std::optional<Device>{std::move(device)};
}

Result<std::optional<Device>> Records::device(const RecordIds& ids)
{
    static const auto kSelect = fmt::format("SELECT {} FROM brski_devices WHERE id = $1", kDeviceColumns);
    ACMETOOL_TRY(found, one_device(kSelect, {ids.id}));
    return found ? std::move(found) : one_device(kSelect, {ids.former});
}

Result<std::optional<Device>> Records::device_by_certificate(std::string_view digest)
{
    static const auto kSelect = fmt::format(
        "SELECT {} FROM brski_devices WHERE certificate = $1 AND certificate <> ''", kDeviceColumns);
    return one_device(kSelect, {digest});
}

Result<bool> Records::has_serial(std::string_view serial)
{
    ACMETOOL_TRY(rows, database_->execute("SELECT 1 FROM brski_devices WHERE serial = $1 LIMIT 1", {serial}));
    return !rows.empty();
}

Result<std::vector<Device>> Records::with_serial(std::string_view serial)
{
    static const auto kSelect = fmt::format(
        "SELECT {} FROM brski_devices WHERE serial = $1 ORDER BY since DESC, id LIMIT 20", kDeviceColumns);
    ACMETOOL_TRY(rows, database_->execute(kSelect, {serial}));
    return devices_of(rows);
}

Result<std::vector<Device>> Records::without_voucher(bool refused, base::TimePoint since,
                                                     const std::optional<store::Behind>& behind,
                                                     std::uint64_t limit)
{
    const auto from = base::to_rfc3339(since);
    const auto before = behind ? base::to_rfc3339(behind->since) : std::string{};
    const auto states = refused ? "'refused'" : "'asking', 'auditing', 'ready'";
    std::vector<store::Database::Value> values{from, static_cast<std::int64_t>(limit)};
    std::string_view rest;
    if (behind) {
        values.emplace_back(before);
        rest = " AND since < $3";
        if (!behind->id.empty()) {
            values.emplace_back(behind->id);
            rest = " AND (since < $3 OR (since = $3 AND id > $4))";
        }
    }
    ACMETOOL_TRY(rows, database_->execute(fmt::format("SELECT {} FROM brski_devices WHERE state IN ({}) AND "
                                                      "since >= $1{} ORDER BY since DESC, id LIMIT $2",
                                                      kDeviceColumns, states, rest),
                                          values));
    return devices_of(rows);
}

Result<OpenCounts> Records::count_open(base::TimePoint since)
{
    const auto from = base::to_rfc3339(since);
    ACMETOOL_TRY(rows,
                 database_->execute("SELECT state, COUNT(*) FROM brski_devices WHERE since >= $1 AND "
                                    "state IN ('asking', 'auditing', 'ready', 'refused') GROUP BY state",
                                    {from}));
    OpenCounts counts;
    for (const auto& row : rows)
        (row[0] == name_of(State::refused) ? counts.refused : counts.waiting) +=
            static_cast<std::uint64_t>(store::number_of(row[1]));
    return counts;
}

Result<std::set<std::string>> Records::serials()
{
    ACMETOOL_TRY(rows, database_->execute("SELECT serial FROM brski_devices"));
    std::set<std::string> serials;
    for (auto& row : rows)
        serials.insert(std::move(row.front()));
    return serials;
}

Result<DeviceCounts> Records::count()
{
    ACMETOOL_TRY(rows, database_->execute("SELECT state, COUNT(*) FROM brski_devices GROUP BY state"));
    DeviceCounts counts;
    for (const auto& [state, name] : kStates) {
        auto& count = counts.by_state[state];
        for (const auto& row : rows)
            if (row[0] == name) count = static_cast<std::uint64_t>(store::number_of(row[1]));
    }
    ACMETOOL_TRY(enrolled, database_->execute("SELECT COUNT(*) FROM brski_devices WHERE certificate <> ''"));
    counts.enrolled = static_cast<std::uint64_t>(store::number_of(enrolled.front().front()));
    return counts;
}

Result<std::optional<Device>> Records::waits_for_silent_masa()
{
    static const auto kSelect =
        fmt::format("SELECT {} FROM brski_devices WHERE state IN ('asking', 'auditing') AND cause = {} "
                    "ORDER BY since, id LIMIT 1",
                    kDeviceColumns, static_cast<int>(Cause::masa_silent));
    return one_device(kSelect, {});
}

Result<std::optional<Device>> Records::last_refused()
{
    static const auto kSelect =
        fmt::format("SELECT {} FROM brski_devices WHERE state = 'refused' ORDER BY since DESC, id LIMIT 1",
                    kDeviceColumns);
    return one_device(kSelect, {});
}

Result<std::optional<Device>> Records::last_not_taken()
{
    static const auto kSelect =
        fmt::format("SELECT {} FROM brski_devices WHERE substr(voucher_status, 1, 7) = 'failure' "
                    "ORDER BY since DESC LIMIT 1",
                    kDeviceColumns);
    return one_device(kSelect, {});
}

Result<std::optional<Record>> Records::record(std::string_view id)
{
    ACMETOOL_TRY(rows, database_->execute(fmt::format("SELECT {}, {}, {} FROM brski_devices WHERE id = $1",
                                                      kDeviceColumns, kRecordColumns, alive(*database_)),
                                          {id}));
    if (rows.empty()) return std::optional<Record>{};
    ACMETOOL_TRY(record, record_of(rows.front()));
    return std::optional<Record>{std::move(record)};
}

Result<std::vector<Record>> Records::open_records(std::string_view manufacturer)
{
    ACMETOOL_TRY(
        rows, database_->execute(fmt::format("SELECT {}, {}, {} FROM brski_devices WHERE manufacturer = $1 "
                                             "AND state IN ('asking', 'auditing')",
                                             kDeviceColumns, kRecordColumns, alive(*database_)),
                                 {manufacturer}));
    std::vector<Record> records;
    for (const auto& row : rows) {
        ACMETOOL_TRY(record, record_of(row));
        if (!record.owner_is_alive) records.push_back(std::move(record));
    }
    return records;
}

namespace
{

/// `since` is record.since as text.
std::vector<store::Database::Value> values_of(const Record& record, std::string_view since)
{
    return {record.id,
            record.serial,
            record.manufacturer,
            name_of(record.state),
            record.masa_url,
            since,
            static_cast<std::int64_t>(record.cause),
            record.reason,
            record.request_digest,
            ByteView{record.registrar_request},
            record.media_type,
            record.accept,
            record.nonce,
            ByteView{record.voucher},
            record.voucher_type,
            record.owner};
}

} // namespace

Result<bool> Records::put(const Record& record, std::string_view earlier)
{
    const auto since = base::to_rfc3339(record.since);
    auto values = values_of(record, since);
    values.emplace_back(earlier);
    ACMETOOL_TRY(changed, database_->execute(kPut, values));
    return !changed.empty();
}

Result<bool> Records::update(const Record& record)
{
    const auto since = base::to_rfc3339(record.since);
    ACMETOOL_TRY(changed, database_->execute(kUpdate, values_of(record, since)));
    return !changed.empty();
}

Result<void> Records::remember_nonce(std::string_view id, std::string_view nonce)
{
    ACMETOOL_CHECK(database_->write(kPutNonce, {id, nonce}));
    return database_->write(kForgetNonces, {id});
}

Result<bool> Records::reopen(std::string_view id, base::TimePoint now)
{
    const auto since = base::to_rfc3339(now);
    ACMETOOL_TRY(rows, database_->execute(
                           fmt::format("UPDATE brski_devices SET state = 'asking', since = $2, cause = 0, "
                                       "reason = '', voucher = $3, voucher_type = '', voucher_status = '', "
                                       "owner = '' WHERE id = $1 AND {} RETURNING 1",
                                       kWithoutGoodVoucher),
                           {id, since, ByteView{}}));
    return !rows.empty();
}

Result<bool> Records::forget(std::string_view id)
{
    ACMETOOL_TRY(rows, database_->execute(fmt::format("DELETE FROM brski_devices WHERE id = $1 AND {} "
                                                      "RETURNING 1",
                                                      kWithoutGoodVoucher),
                                          {id}));
    return !rows.empty();
}

Result<void> Records::set_voucher_status(std::string_view id, std::string_view text)
{
    return database_->write("UPDATE brski_devices SET voucher_status = $2 WHERE id = $1", {id, text});
}

Result<void> Records::set_enroll_status(std::string_view id, std::string_view text)
{
    return database_->write("UPDATE brski_devices SET enroll_status = $2 WHERE id = $1", {id, text});
}

Result<void> Records::set_certificate(std::string_view id, std::string_view digest)
{
    return database_->write("UPDATE brski_devices SET certificate = $2 WHERE id = $1", {id, digest});
}

Result<std::set<Bytes>> Records::nonces(std::string_view id)
{
    ACMETOOL_TRY(rows, database_->execute("SELECT nonce FROM brski_nonces WHERE id = $1", {id}));
    std::set<Bytes> nonces;
    for (const auto& row : rows)
        if (auto octets = brski::nonce_octets(row[0])) nonces.insert(std::move(*octets));
    return nonces;
}

} // namespace acmetool::registrar
