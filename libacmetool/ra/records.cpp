#include "ra/records.h"

#include <charconv>
#include <iterator>

#include <fmt/core.h>

#include "base/text.h"
#include "crypto/cert.h"
#include "enrol/identity.h"
#include "store/sqlite.h"

namespace acmetool::ra
{
namespace
{

using Value = store::Database::Value;
using Row = store::Database::Row;

constexpr unsigned kSchemaVersion = 4;
/// Of earlier versions. In the first, the digests of keys were over their encoding, and devices had
/// former_id(). Both had no subject of the CSR.
constexpr unsigned kEncodedKeysVersion = 2;
constexpr unsigned kNoSubjectVersion = 3;
/// An intermediate's life is prolonged in steps of this, not by a write for each certificate.
constexpr std::int64_t kHour = 3600;
// Each page is written and waited for with every enrolment: what is asked seldom has no index, and long rows
// lie in the order they came, not each in another page by its digest.
constexpr const char* kSchema[] = {
    "CREATE TABLE IF NOT EXISTS orders (id TEXT PRIMARY KEY, state BIGINT NOT NULL, device TEXT NOT NULL, "
    "device_serial TEXT NOT NULL, label TEXT NOT NULL, domain TEXT NOT NULL, profile TEXT NOT NULL, "
    "renewal BIGINT NOT NULL, identifiers TEXT NOT NULL, csr BYTEA NOT NULL, url TEXT NOT NULL, "
    "unsure BIGINT NOT NULL, request_id TEXT NOT NULL, created BIGINT NOT NULL, until BIGINT NOT NULL, "
    "certificate TEXT NOT NULL, "
    "why BIGINT NOT NULL, words TEXT NOT NULL)",
    "CREATE INDEX IF NOT EXISTS orders_open ON orders (created) WHERE state < 2",
    "CREATE INDEX IF NOT EXISTS orders_url ON orders (url) WHERE url <> ''",
    "CREATE INDEX IF NOT EXISTS orders_until ON orders (until) WHERE state >= 2",
    "CREATE TABLE IF NOT EXISTS certificates (digest TEXT PRIMARY KEY, serial TEXT NOT NULL, device TEXT NOT "
    "NULL, device_serial TEXT NOT NULL, identifiers TEXT NOT NULL, csr_digest TEXT NOT NULL, key_digest TEXT "
    "NOT NULL, not_before BIGINT NOT NULL, not_after BIGINT NOT NULL, der BYTEA NOT NULL, subject BYTEA NOT "
    "NULL DEFAULT '')",
    "CREATE INDEX IF NOT EXISTS certificates_csr ON certificates (csr_digest)",
    "CREATE INDEX IF NOT EXISTS certificates_end ON certificates (not_after)",
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
};

constexpr std::string_view kOrderColumns = "id, state, device, device_serial, label, domain, profile, "
                                           "renewal, identifiers, csr, url, unsure, request_id, "
                                           "created, until, certificate, why, words";
constexpr std::string_view kCertificateColumns =
    "digest, serial, device, device_serial, identifiers, csr_digest, key_digest, not_before, not_after, der, "
    "subject";

std::int64_t seconds(base::TimePoint time)
{
    return time.time_since_epoch().count();
}

std::int64_t number(const std::string& text)
{
    std::int64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

base::TimePoint time_of(const std::string& text)
{
    return base::TimePoint{std::chrono::seconds{number(text)}};
}

Bytes bytes_of(const std::string& text)
{
    return {text.begin(), text.end()};
}

/// "dns:a.example dns:b.example": neither names nor addresses hold spaces.
std::string to_text(const std::vector<crypto::Identifier>& identifiers)
{
    std::string text;
    for (const auto& identifier : identifiers)
        text += (text.empty() ? "" : " ") + identifier.type + ":" + identifier.value;
    return text;
}

std::vector<crypto::Identifier> identifiers_of(const std::string& text)
{
    std::vector<crypto::Identifier> identifiers;
    for (const auto part : base::split(text, ' '))
        if (const auto colon = part.find(':'); colon != std::string_view::npos)
            identifiers.push_back({std::string{part.substr(0, colon)}, std::string{part.substr(colon + 1)}});
    return identifiers;
}

OrderRow order_of(const Row& row)
{
    OrderRow order;
    order.id = row[0];
    order.state = static_cast<OrderState>(number(row[1]));
    order.device = {row[2], row[3]};
    order.label = row[4];
    order.domain = row[5];
    order.profile = row[6];
    order.renewal = row[7] == "1";
    order.identifiers = identifiers_of(row[8]);
    order.csr = bytes_of(row[9]);
    order.url = row[10];
    order.unsure = row[11] == "1";
    order.request_id = row[12];
    order.created = time_of(row[13]);
    order.until = time_of(row[14]);
    order.certificate = row[15];
    order.failure.why = static_cast<enrol::Refusal>(number(row[16]));
    order.failure.text = row[17];
    return order;
}

CertificateRow certificate_of(const Row& row)
{
    return {row[0], row[1],          {row[2], row[3]}, identifiers_of(row[4]), row[5],
            row[6], time_of(row[7]), time_of(row[8]),  bytes_of(row[9]),       bytes_of(row[10])};
}

/// Empty if the certificate cannot be read.
std::string key_digest_of(const std::string& der)
{
    const auto certificates = crypto::parse_certificates(der, "certificate in the store");
    return certificates ? to_hex(certificates->front().public_key().spki_sha256()) : std::string{};
}

/// Revocations of the former version, whose keys must be found in whatever form they come.
Result<void> find_revoked_keys(store::Database& database)
{
    ACMETOOL_TRY(rows, database.execute("SELECT serial, der FROM certificates WHERE serial IN "
                                        "(SELECT serial FROM revoked)"));
    for (const auto& row : rows)
        if (const auto digest = key_digest_of(row[1]); !digest.empty())
            ACMETOOL_CHECK(
                database.execute("UPDATE revoked SET key_digest = $2 WHERE serial = $1", {row[0], digest}));
    return {};
}

Result<void> upgrade(store::Database& database, unsigned from)
{
    if (from == kEncodedKeysVersion) ACMETOOL_CHECK(find_revoked_keys(database));
    ACMETOOL_CHECK(database.execute("ALTER TABLE certificates ADD COLUMN subject BYTEA NOT NULL DEFAULT ''"));
    return database.create({std::begin(kSchema), std::end(kSchema)}, kSchemaVersion, from);
}

/// One text for a device, however its serial number was escaped. An "=" is in the issuer of a former
/// identifier.
std::string blocked_as(std::string_view device)
{
    const auto parts = enrol::parse_qualified_serial(device);
    if (!parts || parts->whose.find('=') != std::string::npos) return std::string{device};
    return enrol::device_id(parts->serial, parts->whose);
}

constexpr std::size_t kLongestFormerSerial = 200;
constexpr std::size_t kLongestFormerIssuer = 500;

} // namespace

std::string former_id(std::string_view serial, std::string_view issuer)
{
    return base::printable(serial, kLongestFormerSerial) + "@" +
           base::printable(issuer, kLongestFormerIssuer);
}

std::optional<std::string> issuer_in_former_id(std::string_view id, std::string_view serial)
{
    if (base::printable(serial, kLongestFormerSerial) != serial || id.size() <= serial.size() ||
        !id.starts_with(serial) || id[serial.size()] != '@')
        return std::nullopt;
    const auto issuer = id.substr(serial.size() + 1);
    if (issuer.empty() || issuer.size() > kLongestFormerIssuer) return std::nullopt;
    return std::string{issuer};
}

std::string_view name_of(OrderState state)
{
    constexpr std::string_view kNames[] = {"intent", "placed", "issued", "failed"};
    return kNames[static_cast<std::size_t>(state)];
}

Result<std::unique_ptr<store::Database>> Records::open(const std::string& store_file)
{
    ACMETOOL_TRY(database, store::Sqlite::open(store_file));
    ACMETOOL_TRY(version, database->version());
    if (version == kEncodedKeysVersion || version == kNoSubjectVersion) {
        ACMETOOL_CHECK(database->begin());
        auto done = upgrade(*database, version);
        if (done) done = database->commit();
        if (!done) {
            database->rollback();
            return fail(done.error());
        }
    } else {
        ACMETOOL_CHECK(database->create({std::begin(kSchema), std::end(kSchema)}, kSchemaVersion));
    }
    return std::unique_ptr<store::Database>{std::move(database)};
}

Result<std::optional<OrderRow>> Records::order(std::string_view id)
{
    static const auto kSql = fmt::format("SELECT {} FROM orders WHERE id = $1", kOrderColumns);
    ACMETOOL_TRY(rows, database_->execute(kSql, {id}));
    if (rows.empty()) return std::optional<OrderRow>{};
    return std::optional{order_of(rows.front())};
}

Result<void> Records::put(const OrderRow& row)
{
    // In its place where it is there already.
    static const auto kSql = [] {
        std::string assignments;
        for (const auto column : base::split(kOrderColumns, ','))
            if (const auto name = base::trim(column);
                name != "id") // whose index would be written for nothing
                assignments += fmt::format("{}{}=excluded.{}", assignments.empty() ? "" : ",", name, name);
        return fmt::format(
            "INSERT INTO orders ({}) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$18) "
            "ON CONFLICT (id) DO UPDATE SET {}",
            kOrderColumns, assignments);
    }();
    const auto identifiers = to_text(row.identifiers);
    ACMETOOL_CHECK(database_->execute(
        kSql,
        {row.id, std::int64_t{static_cast<int>(row.state)}, row.device.id, row.device.serial, row.label,
         row.domain, row.profile, std::int64_t{row.renewal ? 1 : 0}, identifiers, ByteView{row.csr}, row.url,
         std::int64_t{row.unsure ? 1 : 0}, row.request_id, seconds(row.created), seconds(row.until),
         row.certificate, std::int64_t{static_cast<int>(row.failure.why)}, row.failure.text}));
    return {};
}

Result<void> Records::set_url(std::string_view id, std::string_view url)
{
    ACMETOOL_CHECK(database_->execute(
        "UPDATE orders SET url = $1, unsure = 0, state = 1 WHERE id = $2 AND state < 2", {url, id}));
    return {};
}

Result<bool> Records::holds_url(std::string_view url)
{
    ACMETOOL_TRY(rows, database_->execute("SELECT 1 FROM orders WHERE url = $1 AND url <> ''", {url}));
    return !rows.empty();
}

Result<Bytes> Records::csr(std::string_view id)
{
    ACMETOOL_TRY(rows, database_->execute("SELECT csr FROM orders WHERE id = $1", {id}));
    if (rows.empty() || rows.front().front().empty())
        return fail(Errc::internal, fmt::format("order {}: its CSR is not in the store", id));
    return bytes_of(rows.front().front());
}

Result<std::vector<OrderRow>> Records::unfinished()
{
    static const auto kSql =
        fmt::format("SELECT {} FROM orders WHERE state < 2 ORDER BY created", kOrderColumns);
    ACMETOOL_TRY(rows, database_->execute(kSql));
    std::vector<OrderRow> orders;
    orders.reserve(rows.size());
    for (const auto& row : rows)
        orders.push_back(order_of(row));
    return orders;
}

Result<std::map<OrderState, std::uint64_t>> Records::count_orders()
{
    ACMETOOL_TRY(rows, database_->execute("SELECT state, COUNT(*) FROM orders GROUP BY state"));
    std::map<OrderState, std::uint64_t> counts;
    for (const auto& row : rows)
        counts[static_cast<OrderState>(number(row[0]))] = static_cast<std::uint64_t>(number(row[1]));
    return counts;
}

Result<std::optional<base::TimePoint>> Records::oldest_unfinished()
{
    ACMETOOL_TRY(rows,
                 database_->execute("SELECT created FROM orders WHERE state < 2 ORDER BY created LIMIT 1"));
    if (rows.empty()) return std::optional<base::TimePoint>{};
    return std::optional{time_of(rows.front().front())};
}

Result<void> Records::put(const CertificateRow& row)
{
    static const auto kSql =
        fmt::format("INSERT INTO certificates ({}) VALUES "
                    "($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11) ON CONFLICT (digest) DO UPDATE "
                    "SET device = excluded.device, device_serial = "
                    "excluded.device_serial, identifiers = excluded.identifiers, "
                    "csr_digest = excluded.csr_digest, subject = excluded.subject",
                    kCertificateColumns);
    const auto identifiers = to_text(row.identifiers);
    ACMETOOL_CHECK(
        database_->execute(kSql, {row.digest, row.serial, row.device.id, row.device.serial, identifiers,
                                  row.csr_digest, row.key_digest, seconds(row.not_before),
                                  seconds(row.not_after), ByteView{row.der}, ByteView{row.subject}}));
    return {};
}

Result<std::optional<CertificateRow>> Records::certificate(std::string_view digest)
{
    static const auto kSql =
        fmt::format("SELECT {} FROM certificates WHERE digest = $1", kCertificateColumns);
    ACMETOOL_TRY(rows, database_->execute(kSql, {digest}));
    if (rows.empty()) return std::optional<CertificateRow>{};
    return std::optional{certificate_of(rows.front())};
}

Result<std::optional<CertificateRow>> Records::latest_certificate()
{
    static const auto kSql =
        fmt::format("SELECT {} FROM certificates ORDER BY not_after DESC LIMIT 1", kCertificateColumns);
    ACMETOOL_TRY(rows, database_->execute(kSql, {}));
    if (rows.empty()) return std::optional<CertificateRow>{};
    return std::optional{certificate_of(rows.front())};
}

Result<std::optional<CertificateRow>>
Records::certificate_for(std::string_view csr_digest, std::string_view device, std::string_view former)
{
    static const auto kSql =
        fmt::format("SELECT {} FROM certificates WHERE csr_digest = $1 AND device IN ($2, $3) "
                    "ORDER BY not_after DESC LIMIT 1",
                    kCertificateColumns);
    ACMETOOL_TRY(rows, database_->execute(kSql, {csr_digest, device, former}));
    if (rows.empty()) return std::optional<CertificateRow>{};
    return std::optional{certificate_of(rows.front())};
}

Result<void> Records::revoke(std::string_view serial, base::TimePoint at)
{
    ACMETOOL_TRY(rows,
                 database_->execute("SELECT der FROM certificates WHERE serial = $1 LIMIT 1", {serial}));
    const auto key = rows.empty() ? std::string{} : key_digest_of(rows.front().front());
    ACMETOOL_CHECK(database_->execute("INSERT INTO revoked VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
                                      {serial, seconds(at), key}));
    return {};
}

Result<bool> Records::is_revoked(std::string_view serial)
{
    ACMETOOL_TRY(rows, database_->execute("SELECT 1 FROM revoked WHERE serial = $1", {serial}));
    return !rows.empty();
}

Result<std::optional<std::string>> Records::device_of(std::string_view serial)
{
    ACMETOOL_TRY(rows,
                 database_->execute("SELECT device FROM certificates WHERE serial = $1 LIMIT 1", {serial}));
    if (rows.empty()) return std::optional<std::string>{};
    return std::optional{rows.front().front()};
}

Result<bool> Records::is_key_revoked(std::string_view key_digest)
{
    ACMETOOL_TRY(rows,
                 database_->execute("SELECT 1 FROM revoked WHERE key_digest = $1 LIMIT 1", {key_digest}));
    return !rows.empty();
}

Result<bool> Records::has_device(std::string_view device, std::string_view serial)
{
    for (const auto* const table : {"certificates", "orders"}) {
        ACMETOOL_TRY(rows, database_->execute(std::string{"SELECT 1 FROM "} + table +
                                                  " WHERE device = $1 OR device_serial = $2 LIMIT 1",
                                              {blocked_as(device), serial}));
        if (!rows.empty()) return true;
    }
    return false;
}

Result<void> Records::block(std::string_view device, base::TimePoint at)
{
    ACMETOOL_CHECK(database_->execute("INSERT INTO blocked VALUES ($1,$2) ON CONFLICT DO NOTHING",
                                      {blocked_as(device), seconds(at)}));
    return {};
}

Result<void> Records::unblock(std::string_view device)
{
    ACMETOOL_CHECK(database_->execute("DELETE FROM blocked WHERE device = $1", {blocked_as(device)}));
    return {};
}

Result<bool> Records::is_blocked(const Device& device)
{
    const auto escaped = enrol::escape_serial(device.serial);
    std::vector<std::string> ids{device.id};
    if (!device.serial.empty()) {
        ids.insert(ids.end(), {device.serial, escaped});
        if (!device.manufacturer.empty()) ids.push_back(escaped + "@" + device.manufacturer);
        if (!device.former.empty()) ids.push_back(device.former);
        ids.insert(ids.end(), device.others.begin(), device.others.end());
    }
    for (const auto& id : ids) {
        ACMETOOL_TRY(rows, database_->execute("SELECT 1 FROM blocked WHERE device = $1", {id}));
        if (!rows.empty()) return true;
    }
    // Without the IDevID the issuer is not known, and in rows of an earlier version the anchor is not: any
    // device of the serial number can be meant.
    if (device.serial.empty() || !device.former.empty()) return false;
    for (const auto& serial : {escaped, base::printable(device.serial, kLongestFormerSerial)}) {
        // "A" follows "@".
        ACMETOOL_TRY(rows, database_->execute("SELECT device FROM blocked WHERE device >= $1 AND device < $2",
                                              {serial + "@", serial + "A"}));
        for (const auto& row : rows)
            if (device.anchor.empty() || row.front().find('=', serial.size()) != std::string::npos)
                return true;
    }
    return false;
}

Result<std::string> Records::bind_name(std::string_view name, std::string_view device,
                                       std::string_view domain)
{
    ACMETOOL_TRY(owner, owner_of_name(name));
    if (owner) return *owner;
    ACMETOOL_CHECK(database_->execute("INSERT INTO names VALUES ($1,$2,$3)", {name, device, domain}));
    return std::string{device};
}

Result<std::optional<std::string>> Records::owner_of_name(std::string_view name)
{
    ACMETOOL_TRY(rows, database_->execute("SELECT device FROM names WHERE name = $1", {name}));
    if (rows.empty()) return std::optional<std::string>{};
    return std::optional{rows.front().front()};
}

Result<std::optional<std::string>> Records::name_of_device(std::string_view device, std::string_view domain)
{
    ACMETOOL_TRY(rows, database_->execute("SELECT name FROM names WHERE device = $1 AND domain = $2",
                                          {device, domain}));
    if (rows.empty()) return std::optional<std::string>{};
    return std::optional{rows.front().front()};
}

Result<void> Records::give_name(std::string_view name, std::string_view device)
{
    ACMETOOL_CHECK(database_->execute("UPDATE names SET device = $2 WHERE name = $1", {name, device}));
    return {};
}

Result<void> Records::adopt(std::string_view former, std::string_view device)
{
    ACMETOOL_CHECK(database_->execute("UPDATE names SET device = $2 WHERE device = $1", {former, device}));
    // What was adopted before follows; `device` itself may have been adopted under another anchor.
    ACMETOOL_CHECK(
        database_->execute("UPDATE former_ids SET device = $2 WHERE device = $1", {former, device}));
    ACMETOOL_CHECK(database_->execute("DELETE FROM former_ids WHERE former = $1", {device}));
    ACMETOOL_CHECK(database_->execute("INSERT INTO former_ids VALUES ($1,$2) ON CONFLICT (former) DO UPDATE "
                                      "SET device = excluded.device",
                                      {former, device}));
    return {};
}

Result<std::optional<std::string>> Records::device_now(std::string_view former)
{
    ACMETOOL_TRY(rows, database_->execute("SELECT device FROM former_ids WHERE former = $1", {former}));
    if (rows.empty()) return std::optional<std::string>{};
    return std::optional{rows.front().front()};
}

Result<void> Records::keep_intermediate(ByteView der, std::string_view digest, base::TimePoint until)
{
    ACMETOOL_CHECK(database_->execute(
        "INSERT INTO intermediates VALUES ($1,$2,$3) ON CONFLICT (digest) "
        "DO UPDATE SET until = excluded.until WHERE excluded.until > intermediates.until + $4",
        {digest, der, seconds(until) + kHour, kHour}));
    return {};
}

Result<std::vector<Bytes>> Records::intermediates()
{
    ACMETOOL_TRY(rows, database_->execute("SELECT der FROM intermediates ORDER BY until DESC, digest"));
    std::vector<Bytes> found;
    found.reserve(rows.size());
    for (const auto& row : rows)
        found.push_back(bytes_of(row.front()));
    return found;
}

Result<void> Records::spend(const Spent& spent)
{
    ACMETOOL_CHECK(
        database_->execute("INSERT INTO spent VALUES ($1,$2,$3)",
                           {seconds(spent.at), spent.device, std::int64_t{spent.renewal ? 1 : 0}}));
    return {};
}

Result<std::vector<Records::Spent>> Records::spent()
{
    ACMETOOL_TRY(rows, database_->execute("SELECT at, device, renewal FROM spent ORDER BY at"));
    std::vector<Spent> found;
    found.reserve(rows.size());
    for (const auto& row : rows)
        found.push_back({time_of(row[0]), row[1], row[2] == "1"});
    return found;
}

Result<void> Records::purge(base::TimePoint now, base::TimePoint expired_before, base::TimePoint spent_before)
{
    const auto at = seconds(now);
    // A failed order whose URL is known may still come to a certificate: it is kept for a week more.
    constexpr std::int64_t kWeek = 7 * 24 * 3600;
    ACMETOOL_CHECK(database_->execute("DELETE FROM orders WHERE state >= 2 AND until < $1 AND "
                                      "(state = 2 OR url = '' OR until < $2)",
                                      {at, at - kWeek}));
    ACMETOOL_CHECK(
        database_->execute("DELETE FROM certificates WHERE not_after < $1", {seconds(expired_before)}));
    ACMETOOL_CHECK(database_->execute("DELETE FROM intermediates WHERE until < $1", {at}));
    ACMETOOL_CHECK(database_->execute("DELETE FROM spent WHERE at < $1", {seconds(spent_before)}));
    return {};
}

} // namespace acmetool::ra
