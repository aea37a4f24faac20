#include "ra/records.h"

#include <algorithm>
#include <set>

#include <fmt/core.h>

#include "base/text.h"
#include "crypto/cert.h"
#include "enrol/identity.h"
#include "ra/record_columns.h"
#include "store/members.h"

namespace acmetool::ra
{
namespace
{

using Value = store::Database::Value;
using Row = store::Database::Row;

constexpr unsigned kPurgedAtOnce = 500; ///< of each table: a transaction that lasts stops all others
/// An intermediate's life is prolonged in steps of this, not by a write for each certificate.
constexpr std::int64_t kHour = 3600;
constexpr std::string_view kHeld = "held "; ///< in "leases", before a CA
/// Of an order of the device $3 that begins or fails now: times tell nothing within a second, or after a
/// clock was set.
constexpr std::string_view kNextNumber =
    "(SELECT COALESCE(MAX(others.number), 0) + 1 FROM orders AS others WHERE others.device = $3)";

using columns::bytes_of;
using columns::certificate_of;
using columns::kCertificateColumns;
using columns::kCertificateWidth;
using columns::key_digest_of;
using columns::kOrderColumns;
using columns::kOrderWidth;
using columns::order_of;
using columns::seconds;
using columns::time_of;
using columns::to_text;
using store::number_of;

/// One text for a device, however its serial number was escaped. An "=" is in the issuer of a former
/// identifier.
std::string blocked_as(std::string_view device)
{
    const auto parts = enrol::parse_qualified_serial(device);
    if (!parts || parts->whose.find('=') != std::string::npos) return std::string{device};
    return enrol::device_id(parts->serial, parts->whose);
}

using columns::kLongestFormerSerial;
constexpr std::size_t kLongestFormerIssuer = 500;

SpentCounts counts_of(const Row& row)
{
    SpentCounts counts;
    counts.all = static_cast<std::uint64_t>(number_of(row[0]));
    counts.renewals = static_cast<std::uint64_t>(number_of(row[1]));
    if (counts.all > 0) counts.oldest = time_of(row[2]);
    return counts;
}

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

Result<std::optional<OrderRow>> Records::order(std::string_view id)
{
    static const auto kSql = fmt::format("SELECT {} FROM orders WHERE id = $1", kOrderColumns);
    ACMETOOL_TRY(rows, database_->execute(kSql, {id}));
    if (rows.empty()) return std::optional<OrderRow>{};
    return std::optional{order_of(rows.front())};
}

Result<std::optional<OrderRow>> Records::order_to_change(std::string_view id)
{
    ACMETOOL_TRY(rows, database_->execute(fmt::format("SELECT {} FROM orders WHERE id = $1{}", kOrderColumns,
                                                      database_->for_update()),
                                          {id}));
    if (rows.empty()) return std::optional<OrderRow>{};
    auto order = order_of(rows.front());
    order.is_locked = true;
    return std::optional{std::move(order)};
}

Result<void> Records::put(const OrderRow& row)
{
    static const auto kNames = base::split(kOrderColumns, ',');
    static const auto kInsert = [] {
        std::string places;
        for (std::size_t i = 1; i <= kNames.size(); ++i)
            places += fmt::format("{}${}", i == 1 ? "" : ",", i);
        return fmt::format("INSERT INTO orders ({}, number) VALUES ({}, {})", kOrderColumns, places,
                           kNextNumber);
    }();
    // In its place: the index of `id` would be written for nothing.
    static const auto kUpdate = [] {
        std::string assignments;
        for (std::size_t i = 2; i <= kNames.size(); ++i)
            assignments += fmt::format("{}{} = ${}", i == 2 ? "" : ", ", base::trim(kNames[i - 1]), i);
        return fmt::format(
            "UPDATE orders SET {}, number = CASE WHEN CAST($2 AS BIGINT) = 2 THEN number ELSE {} END "
            "WHERE id = $1 AND generation = $20 - 1",
            assignments, kNextNumber);
    }();
    static const auto kUpdateIfSame = kUpdate + " RETURNING 1";
    const auto identifiers = to_text(row.identifiers);
    const auto flag = [](bool value) { return std::int64_t{value ? 1 : 0}; };
    const std::vector<Value> values{row.id,
                                    std::int64_t{static_cast<int>(row.state)},
                                    row.device.id,
                                    row.device.serial,
                                    row.label,
                                    row.domain,
                                    row.profile,
                                    flag(row.renewal),
                                    identifiers,
                                    ByteView{row.csr},
                                    row.url,
                                    flag(row.unsure),
                                    row.request_id,
                                    seconds(row.created),
                                    seconds(row.until),
                                    row.certificate,
                                    std::int64_t{static_cast<int>(row.failure.why)},
                                    row.failure.text,
                                    row.owner,
                                    row.generation + 1,
                                    flag(row.watched)};
    if (row.generation == 0) return database_->write(kInsert, values); // the key is unique
    if (row.is_locked) return database_->write(kUpdate, values);
    ACMETOOL_TRY(changed, database_->execute(kUpdateIfSame, values));
    if (changed.empty())
        return fail(Errc::io, fmt::format("order {} was changed meanwhile", row.id), {},
                    word_of(Cause::store_conflict));
    return {};
}

Result<bool> Records::set_url(std::string_view id, std::string_view url, std::string_view owner)
{
    ACMETOOL_TRY(changed,
                 database_->execute("UPDATE orders SET url = $1, unsure = 0, state = 1, generation = "
                                    "generation + 1 WHERE id = $2 AND state < 2 AND owner = $3 AND "
                                    "NOT EXISTS (SELECT 1 FROM orders AS others WHERE others.url = "
                                    "$1 AND others.url <> '' AND others.id <> $2) RETURNING 1",
                                    {url, id, owner}));
    return !changed.empty();
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

Result<void> Records::watch(std::string_view id)
{
    return database_->write("UPDATE orders SET watched = 1 WHERE id = $1 AND state < 2", {id});
}

Result<std::vector<OrderRow>> Records::unfinished(std::string_view owner)
{
    static const auto kSql =
        fmt::format("SELECT {} FROM orders WHERE state < 2 AND owner = $1 ORDER BY created", kOrderColumns);
    ACMETOOL_TRY(rows, database_->execute(kSql, {owner}));
    std::vector<OrderRow> orders;
    orders.reserve(rows.size());
    for (const auto& row : rows)
        orders.push_back(order_of(row));
    return orders;
}

Result<std::vector<std::string>> Records::owners_gone()
{
    ACMETOOL_TRY(rows,
                 database_->execute(fmt::format(
                     "WITH RECURSIVE owners (owner) AS (SELECT MIN(owner) FROM orders WHERE state < 2 "
                     "UNION ALL SELECT (SELECT MIN(orders.owner) FROM orders WHERE orders.state < 2 AND "
                     "orders.owner > owners.owner) FROM owners WHERE owners.owner IS NOT NULL) "
                     "SELECT owner FROM owners WHERE owner IS NOT NULL AND NOT {}",
                     store::Members::is_alive(*database_, "owners.owner"))));
    std::vector<std::string> owners;
    owners.reserve(rows.size());
    for (const auto& row : rows)
        owners.push_back(row.front());
    return owners;
}

Result<std::vector<OrderRow>> Records::take_over(std::string_view former, std::string_view owner,
                                                 unsigned most)
{
    ACMETOOL_TRY(rows,
                 database_->execute(
                     fmt::format("UPDATE orders SET owner = $2, generation = generation + 1 WHERE id IN "
                                 "(SELECT id FROM orders WHERE state < 2 AND owner = $1 ORDER BY created "
                                 "LIMIT {}{}) RETURNING {}",
                                 most, database_->skip_locked(), kOrderColumns),
                     {former, owner}));
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
        counts[static_cast<OrderState>(number_of(row[0]))] = static_cast<std::uint64_t>(number_of(row[1]));
    return counts;
}

Result<std::optional<base::TimePoint>> Records::oldest_unfinished()
{
    ACMETOOL_TRY(rows,
                 database_->execute("SELECT created FROM orders WHERE state < 2 ORDER BY created LIMIT 1"));
    if (rows.empty()) return std::optional<base::TimePoint>{};
    return std::optional{time_of(rows.front().front())};
}

Result<std::uint64_t> Records::count_certificates()
{
    ACMETOOL_TRY(rows, database_->execute("SELECT COUNT(*) FROM certificates"));
    return static_cast<std::uint64_t>(number_of(rows.front().front()));
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
    return database_->write(kSql, {row.digest, row.serial, row.device.id, row.device.serial, identifiers,
                                   row.csr_digest, row.key_digest, seconds(row.not_before),
                                   seconds(row.not_after), ByteView{row.der}, ByteView{row.subject}});
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

Result<std::optional<Shown>> Records::shown(std::string_view digest)
{
    static const auto kSql =
        fmt::format("SELECT {}, CASE WHEN EXISTS (SELECT 1 FROM revoked WHERE revoked.serial = "
                    "certificates.serial) THEN 1 ELSE 0 END, (SELECT former_ids.device FROM former_ids WHERE "
                    "former = certificates.device) FROM certificates WHERE digest = $1",
                    kCertificateColumns);
    ACMETOOL_TRY(rows, database_->execute(kSql, {digest}));
    if (rows.empty()) return std::optional<Shown>{};
    const auto& row = rows.front();
    Shown shown;
    shown.certificate = certificate_of(row);
    shown.is_revoked = row[kCertificateWidth] == "1";
    if (const auto& now = row[kCertificateWidth + 1]; !now.empty()) shown.device_now = now;
    return std::optional{std::move(shown)};
}

Result<Earlier> Records::earlier(std::string_view csr_digest, std::string_view id,
                                 std::string_view former_order, std::string_view device,
                                 std::string_view former, base::TimePoint since)
{
    // One row, whose columns are empty where there is nothing.
    static const auto sql = [](std::string_view spent) {
        const auto columns_of = [](std::string_view table, std::string_view columns) {
            std::string text;
            for (const auto column : base::split(columns, ','))
                text += fmt::format("{}.{}, ", table, base::trim(column));
            return text;
        };
        return fmt::format(
            "SELECT {}{}{} FROM (SELECT 1 AS one) AS one "
            "LEFT JOIN (SELECT * FROM certificates WHERE csr_digest = $1 AND device IN ($4, $5) "
            "ORDER BY not_after DESC LIMIT 1) AS c ON 1 = 1 LEFT JOIN (SELECT * FROM orders WHERE id IN ($2, "
            "$3) "
            "ORDER BY CASE WHEN id = $2 THEN 0 ELSE 1 END LIMIT 1) AS o ON 1 = 1",
            columns_of("c", kCertificateColumns), columns_of("o", kOrderColumns), spent);
    };
    static const auto kSql = sql("0");
    static const auto kShared = [] {
        constexpr std::string_view kSpent = "FROM spent WHERE at > $6 AND device IN ($4, $5)";
        return sql(
            fmt::format("(SELECT COUNT(*) {0}), (SELECT CAST(COALESCE(SUM(renewal), 0) AS BIGINT) {0}), "
                        "(SELECT MIN(at) {0})",
                        kSpent));
    }();
    const auto other = former.empty() ? device : former;
    std::vector<Value> values{csr_digest, id, former_order, device, other};
    if (is_shared()) values.emplace_back(seconds(since));
    ACMETOOL_TRY(rows, database_->execute(is_shared() ? kShared : kSql, values));
    const auto& row = rows.front();
    const auto order = row.begin() + kCertificateWidth;
    const auto spent = order + kOrderWidth;
    Earlier earlier;
    if (!row.front().empty()) earlier.certificate = certificate_of(row);
    if (!order->empty()) earlier.order = order_of({order, spent});
    if (is_shared()) earlier.spent = counts_of({spent, row.end()});
    return earlier;
}

Result<std::optional<std::string>> Records::profile_of(const CertificateRow& certificate)
{
    ACMETOOL_TRY(rows, database_->execute("SELECT profile FROM orders WHERE device = $1 AND certificate = $2",
                                          {certificate.device.id, certificate.digest}));
    if (rows.empty()) return std::optional<std::string>{};
    return std::optional{std::move(rows.front().front())};
}

Result<void> Records::revoke(std::string_view serial, base::TimePoint at)
{
    ACMETOOL_TRY(der, issued_with(serial));
    const auto key = der.empty() ? std::string{} : key_digest_of(std::string{as_text(der)});
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

Result<Bytes> Records::issued_with(std::string_view serial)
{
    ACMETOOL_TRY(rows,
                 database_->execute("SELECT der FROM certificates WHERE serial = $1 LIMIT 1", {serial}));
    return rows.empty() ? Bytes{} : bytes_of(rows.front().front());
}

Result<bool> Records::has_device(std::string_view device, std::string_view serial)
{
    const auto ids = columns::ids_with_serial(serial);
    for (const auto* const table : {"certificates", "orders"}) {
        ACMETOOL_TRY(of_id,
                     database_->execute(fmt::format("SELECT 1 FROM {} WHERE device = $1 LIMIT 1", table),
                                        {blocked_as(device)}));
        if (!of_id.empty()) return true;
        ACMETOOL_TRY(of_serial, database_->execute(fmt::format("SELECT 1 FROM {} WHERE {} LIMIT 1", table,
                                                               columns::kHasSerial),
                                                   {ids[0], ids[1], ids[2], ids[3], serial}));
        if (!of_serial.empty()) return true;
    }
    return false;
}

Result<void> Records::block(std::string_view device, base::TimePoint at)
{
    ACMETOOL_CHECK(database_->execute("INSERT INTO blocked VALUES ($1,$2) ON CONFLICT DO NOTHING",
                                      {blocked_as(device), seconds(at)}));
    return {};
}

Result<bool> Records::unblock(std::string_view device)
{
    ACMETOOL_TRY(rows, database_->execute("DELETE FROM blocked WHERE device = $1 RETURNING device",
                                          {blocked_as(device)}));
    return !rows.empty();
}

Result<Objections> Records::objections(const Device& device, std::string_view key_digest,
                                       Objections::With with)
{
    const auto escaped = enrol::escape_serial(device.serial);
    std::vector<std::string> ids{device.id};
    std::set<std::string> serials; // of which any identifier may be meant
    if (!device.serial.empty()) {
        ids.insert(ids.end(), {device.serial, escaped});
        if (!device.manufacturer.empty()) ids.push_back(escaped + "@" + device.manufacturer);
        if (!device.former.empty()) ids.push_back(device.former);
        ids.insert(ids.end(), device.others.begin(), device.others.end());
        // Without the IDevID the issuer is not known, and in rows of an earlier version the anchor is not.
        if (device.former.empty())
            serials = {escaped + "@", base::printable(device.serial, kLongestFormerSerial) + "@"};
    }
    std::vector<std::string> after(serials.begin(), serials.end());
    for (auto& serial : after)
        serial.back() = 'A'; // follows "@"
    std::vector<Value> values;
    const auto place = [&values](std::string_view value) {
        values.emplace_back(value);
        return fmt::format("${}", values.size());
    };
    std::string is_meant;
    for (const auto& id : ids)
        is_meant += fmt::format("{}{}", is_meant.empty() ? "device IN (" : ", ", place(id));
    is_meant += ")";
    auto end = after.begin();
    for (const auto& serial : serials) {
        const auto from = place(serial);
        is_meant += fmt::format(" OR (device >= {} AND device < {})", from, place(*end++));
    }
    const auto key = place(key_digest);
    auto sql =
        fmt::format("SELECT 'blocked', device, at, '', '' FROM blocked WHERE {} UNION ALL SELECT "
                    "'revoked', '', at, '', '' FROM revoked WHERE key_digest = {} AND key_digest <> ''",
                    is_meant, key);
    if (with == Objections::With::inventory)
        sql +=
            fmt::format(" UNION ALL {} UNION ALL SELECT 'devices', '', devices, '', '' FROM inventory_state",
                        columns::listed_sql(place(device.serial)));
    ACMETOOL_TRY(rows, database_->execute(sql, values));
    Objections found;
    std::vector<InventoryEntry> listed;
    for (const auto& row : rows) {
        const auto& kind = row.front();
        if (kind == "listed") listed.push_back(columns::entry_of(row));
        if (kind == "devices") found.inventory = static_cast<std::size_t>(number_of(row[2]));
        if (kind == "revoked") found.is_key_revoked = true;
        if (kind != "blocked") continue;
        const auto& blocked = row[1];
        const bool is_own = std::find(ids.begin(), ids.end(), blocked) != ids.end();
        const bool may_be = std::any_of(serials.begin(), serials.end(), [&](const std::string& serial) {
            return blocked.starts_with(serial) &&
                   (device.anchor.empty() || blocked.find('=', serial.size()) != std::string::npos);
        });
        if (is_own || may_be) found.block = Block{blocked, time_of(row[2])};
    }
    found.listed = Listed{std::move(listed)};
    return found;
}

Result<std::optional<Block>> Records::block_of(const Device& device)
{
    ACMETOOL_TRY(found, objections(device, {}));
    return std::move(found.block);
}

Result<std::string> Records::bind_name(std::string_view name, std::string_view device,
                                       std::string_view domain)
{
    ACMETOOL_TRY(made, database_->execute("INSERT INTO names VALUES ($1,$2,$3) ON CONFLICT DO NOTHING "
                                          "RETURNING device",
                                          {name, device, domain}));
    if (!made.empty()) return std::string{device};
    ACMETOOL_TRY(first, owner_of_name(name));
    if (first) return *first;
    return fail(Errc::io, fmt::format("the device {} got another name meanwhile", device), {},
                word_of(Cause::store_conflict));
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
    ACMETOOL_CHECK(database_->write(
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
    return database_->write("INSERT INTO spent VALUES ($1,$2,$3)",
                            {seconds(spent.at), spent.device, std::int64_t{spent.renewal ? 1 : 0}});
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

Result<SpentCounts> Records::count_spent(base::TimePoint since)
{
    ACMETOOL_TRY(rows,
                 database_->execute("SELECT COUNT(*), CAST(COALESCE(SUM(renewal), 0) AS BIGINT), MIN(at) "
                                    "FROM spent WHERE at > $1",
                                    {seconds(since)}));
    return counts_of(rows.front());
}

Result<void> Records::lock_spent()
{
    return database_->lock("spent");
}

Result<bool> Records::lease(std::string_view what, std::string_view run, std::chrono::seconds life)
{
    if (!is_shared()) return true;
    ACMETOOL_TRY(rows,
                 database_->execute(
                     fmt::format("INSERT INTO leases VALUES ($1, $2, {0} + $3) ON CONFLICT (what) DO UPDATE "
                                 "SET run = excluded.run, until = excluded.until "
                                 "WHERE leases.run = excluded.run OR leases.until < {0} RETURNING 1",
                                 database_->seconds()),
                     {what, run, life.count()}));
    return !rows.empty();
}

Result<void> Records::hold(const Hold& hold)
{
    return database_->write(
        fmt::format("INSERT INTO leases VALUES ($1, $2, {} + $3) ON CONFLICT (what) DO UPDATE "
                    "SET run = excluded.run, until = excluded.until WHERE leases.until < excluded.until",
                    database_->seconds()),
        {std::string{kHeld} + hold.ca, hold.run, hold.left.count()});
}

Result<std::vector<Records::Hold>> Records::holds()
{
    ACMETOOL_TRY(
        rows, database_->execute(
                  fmt::format("SELECT what, run, until - {0} FROM leases WHERE what LIKE $1 AND until > {0}",
                              database_->seconds()),
                  {std::string{kHeld} + "%"}));
    std::vector<Hold> holds;
    holds.reserve(rows.size());
    for (const auto& row : rows)
        holds.push_back(
            {row[0].substr(kHeld.size()), row[1], std::chrono::seconds{store::number_of(row[2])}});
    return holds;
}

Result<bool> Records::purge(base::TimePoint now, base::TimePoint expired_before, base::TimePoint spent_before)
{
    const auto at = seconds(now);
    bool all = true;
    const auto some = [&](std::string_view table, std::string_view key, std::string_view condition,
                          const std::vector<Value>& values) -> Result<void> {
        ACMETOOL_TRY(gone, database_->execute(
                               fmt::format("DELETE FROM {0} WHERE {1} IN (SELECT {1} FROM {0} WHERE {2} "
                                           "LIMIT {3}{4}) RETURNING 1",
                                           table, key, condition, kPurgedAtOnce, database_->skip_locked()),
                               values));
        all = all && gone.size() < kPurgedAtOnce;
        return {};
    };
    // A failed order whose URL is known may still come to a certificate: it is kept for a week more.
    constexpr std::int64_t kWeek = 7 * 24 * 3600;
    ACMETOOL_CHECK(some("orders", "id", "state >= 2 AND until < $1 AND (state = 2 OR url = '' OR until < $2)",
                        {at, at - kWeek}));
    ACMETOOL_CHECK(some("certificates", "digest", "not_after < $1", {seconds(expired_before)}));
    ACMETOOL_CHECK(some("intermediates", "digest", "until < $1", {at}));
    // Without a key of its own. A time is that of few orders.
    ACMETOOL_CHECK(some("spent", "at", "at < $1", {seconds(spent_before)}));
    return all;
}

} // namespace acmetool::ra
