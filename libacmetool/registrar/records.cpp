#include "registrar/records.h"

#include <array>
#include <charconv>
#include <utility>

#include "brski/voucher.h"
#include "store/sqlite.h"

namespace acmetool::registrar
{
namespace
{

constexpr const char* kTable =
    "CREATE TABLE IF NOT EXISTS brski_devices (id TEXT PRIMARY KEY, serial TEXT NOT NULL, manufacturer TEXT "
    "NOT "
    "NULL, state TEXT NOT NULL, request_digest TEXT NOT NULL, registrar_request BLOB NOT NULL, media_type "
    "TEXT "
    "NOT NULL, accept TEXT NOT NULL, nonce TEXT NOT NULL, masa_url TEXT NOT NULL, voucher BLOB NOT NULL, "
    "voucher_type TEXT NOT NULL, status INTEGER NOT NULL, reason TEXT NOT NULL, since TEXT NOT NULL, "
    "voucher_status TEXT NOT NULL, enroll_status TEXT NOT NULL, certificate TEXT NOT NULL)";
constexpr const char* kPut =
    "INSERT OR REPLACE INTO brski_devices VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, "
    "$14, $15, $16, $17, $18)";
/// What this registrar asked for, to know it again in audit logs (RFC 8995 section 5.8.3).
constexpr const char* kNonces = "CREATE TABLE IF NOT EXISTS brski_nonces (id TEXT NOT NULL, nonce TEXT NOT "
                                "NULL, PRIMARY KEY (id, nonce))";
constexpr const char* kTakeNonces = "INSERT OR IGNORE INTO brski_nonces SELECT id, nonce FROM brski_devices";
constexpr const char* kPutNonce = "INSERT OR IGNORE INTO brski_nonces VALUES ($1, $2)";
constexpr const char* kForgetNonces = "DELETE FROM brski_nonces WHERE id = $1 AND rowid <= (SELECT rowid "
                                      "FROM brski_nonces WHERE id = $1 ORDER BY "
                                      "rowid DESC LIMIT 1 OFFSET 1000)";
constexpr std::array<std::pair<State, std::string_view>, 5> kStates{{{State::asking, "asking"},
                                                                     {State::auditing, "auditing"},
                                                                     {State::ready, "ready"},
                                                                     {State::forwarded, "forwarded"},
                                                                     {State::refused, "refused"}}};

Bytes octets_of(const std::string& column)
{
    return {column.begin(), column.end()};
}

} // namespace

std::string_view name_of(State state)
{
    for (const auto& [value, name] : kStates)
        if (value == state) return name;
    return {};
}

Result<Records> Records::open(const std::string& file)
{
    ACMETOOL_TRY(database, store::Sqlite::open(file));
    ACMETOOL_CHECK(database->create({kTable, kNonces, kTakeNonces}, 0));
    return Records{std::move(database)};
}

Result<std::vector<Record>> Records::all()
{
    ACMETOOL_TRY(rows, database_->execute("SELECT * FROM brski_devices"));
    std::vector<Record> records;
    for (const auto& row : rows) {
        Record record;
        record.id = row[0];
        record.serial = row[1];
        record.manufacturer = row[2];
        for (const auto& [value, name] : kStates)
            if (row[3] == name) record.state = value;
        record.request_digest = row[4];
        record.registrar_request = octets_of(row[5]);
        record.media_type = row[6];
        record.accept = row[7];
        record.nonce = row[8];
        record.masa_url = row[9];
        record.voucher = octets_of(row[10]);
        record.voucher_type = row[11];
        std::from_chars(row[12].data(), row[12].data() + row[12].size(), record.status);
        record.reason = row[13];
        ACMETOOL_TRY(since, base::parse_rfc3339(row[14]));
        record.since = since;
        record.voucher_status = row[15];
        record.enroll_status = row[16];
        record.certificate = row[17];
        records.push_back(std::move(record));
    }
    return records;
}

Result<void> Records::put(const Record& record)
{
    const auto since = base::to_rfc3339(record.since);
    ACMETOOL_CHECK(database_->execute(
        kPut, {record.id, record.serial, record.manufacturer, name_of(record.state), record.request_digest,
               ByteView{record.registrar_request}, record.media_type, record.accept, record.nonce,
               record.masa_url, ByteView{record.voucher}, record.voucher_type, std::int64_t{record.status},
               record.reason, since, record.voucher_status, record.enroll_status, record.certificate}));
    ACMETOOL_CHECK(database_->execute(kPutNonce, {record.id, record.nonce}));
    ACMETOOL_CHECK(database_->execute(kForgetNonces, {record.id}));
    return {};
}

Result<std::set<Bytes>> Records::nonces(const std::string& id)
{
    ACMETOOL_TRY(rows, database_->execute("SELECT nonce FROM brski_nonces WHERE id = $1", {id}));
    std::set<Bytes> nonces;
    for (const auto& row : rows)
        if (auto octets = brski::nonce_octets(row[0])) nonces.insert(std::move(*octets));
    return nonces;
}

Result<void> Records::put(const std::vector<Record>& records)
{
    if (records.empty()) return database_->check_place();
    ACMETOOL_CHECK(database_->begin());
    for (const auto& record : records)
        if (const auto done = put(record); !done) {
            database_->rollback();
            return fail(done.error());
        }
    auto committed = database_->commit();
    if (!committed) database_->rollback();
    return committed;
}

} // namespace acmetool::registrar
