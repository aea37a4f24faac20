#include "ra/device_records.h"

#include <array>
#include <set>

#include <fmt/core.h>

#include "base/text.h"
#include "enrol/identity.h"
#include "ra/record_columns.h"

namespace acmetool::ra
{
namespace
{

constexpr std::array<std::string_view, 6> kStandings{"pending",  "failed",  "issued",
                                                     "expiring", "refused", "unseen"};

/// A column: Standing at the time $1.
constexpr std::string_view kStanding = "CASE WHEN state < 2 THEN 0 WHEN state = 3 THEN 1 "
                                       "WHEN 3 * (until - $1) > until - created THEN 2 ELSE 3 END";
/// A condition: an order of a device. The relay's own order is none.
constexpr std::string_view kIsOfDevice = "device NOT BETWEEN 'relay:' AND 'relay;'";
/// A condition: since $2. The index of devices has all that these and kStanding read; the sum keeps other
/// indexes away.
constexpr std::string_view kIsSince = "created + 0 >= $2";
/// A condition: no later order of the device. Two relays may have given one number.
constexpr std::string_view kIsNewest =
    "NOT EXISTS (SELECT 1 FROM orders AS later WHERE later.device = orders.device AND (later.number, "
    "later.created, later.id) > (orders.number, orders.created, orders.id))";

} // namespace

std::string_view name_of(Standing standing)
{
    return kStandings[static_cast<std::size_t>(standing)];
}

std::optional<Standing> standing_of(std::string_view name)
{
    for (std::size_t i = 0; i < kStandings.size(); ++i)
        if (kStandings[i] == name) return static_cast<Standing>(i);
    return std::nullopt;
}

Result<std::optional<Device>> DeviceRecords::one(std::string_view sql, std::string_view parameter)
{
    ACMETOOL_TRY(rows, database_->execute(sql, {parameter}));
    if (rows.empty()) return std::optional<Device>{};
    return std::optional{Device{rows.front()[0], rows.front()[1]}};
}

Result<std::set<std::string>> DeviceRecords::serials()
{
    ACMETOOL_TRY(rows, database_->execute("SELECT device FROM orders UNION SELECT device FROM certificates"));
    std::set<std::string> serials;
    for (const auto& row : rows)
        if (auto parts = enrol::parse_qualified_serial(row[0])) serials.insert(std::move(parts->serial));
    return serials;
}

Result<std::optional<Device>> DeviceRecords::with_id(std::string_view id)
{
    // The name of a device that has only names says nothing about its serial number.
    return one("SELECT device, device_serial FROM orders WHERE device = $1 UNION "
               "SELECT device, device_serial FROM certificates WHERE device = $1 UNION "
               "SELECT device, '' FROM names WHERE device = $1 ORDER BY 2 DESC LIMIT 1",
               id);
}

/// An identifier begins with the serial number, so that the index of devices has them side by side.
Result<std::vector<Device>> DeviceRecords::beginning_with(std::string_view serial, unsigned limit)
{
    if (serial.empty()) return std::vector<Device>{};
    const auto begin = enrol::escape_serial(serial);
    auto end = begin; // of ASCII
    ++end.back();
    static constexpr const char* kSql =
        "SELECT DISTINCT device FROM {} WHERE device >= $1 AND device < $2 ORDER BY device LIMIT {}";
    std::set<std::string> ids;
    for (const auto* const table : {"orders", "certificates"}) {
        ACMETOOL_TRY(rows, database_->execute(fmt::format(kSql, table, limit), {begin, end}));
        for (const auto& row : rows)
            ids.insert(row[0]);
    }
    std::vector<Device> devices;
    for (const auto& id : ids) {
        const auto parts = enrol::parse_qualified_serial(id);
        if (parts && devices.size() < limit) devices.push_back({id, parts->serial});
    }
    return devices;
}

Result<std::vector<Device>> DeviceRecords::with_serial(std::string_view serial)
{
    static const auto kSql = fmt::format("SELECT device, device_serial FROM orders WHERE {0} UNION "
                                         "SELECT device, device_serial FROM certificates WHERE {0} "
                                         "ORDER BY 1 LIMIT 20",
                                         columns::kHasSerial);
    const auto ids = columns::ids_with_serial(serial);
    ACMETOOL_TRY(rows, database_->execute(kSql, {ids[0], ids[1], ids[2], ids[3], serial}));
    std::vector<Device> devices;
    devices.reserve(rows.size());
    for (const auto& row : rows)
        devices.push_back({row[0], row[1]});
    return devices;
}

Result<std::optional<Device>> DeviceRecords::of_request(std::string_view request_id)
{
    return one("SELECT device, device_serial FROM orders WHERE request_id = $1 "
               "AND device NOT LIKE 'relay:%' LIMIT 1",
               request_id);
}

Result<std::vector<std::string>> DeviceRecords::names(std::string_view device)
{
    // What has a space is no name, but an entry of the inventory that the device took.
    ACMETOOL_TRY(rows, database_->execute("SELECT name FROM names WHERE device = $1 AND name NOT LIKE '% %' "
                                          "ORDER BY name LIMIT 20",
                                          {device}));
    std::vector<std::string> names;
    names.reserve(rows.size());
    for (const auto& row : rows)
        names.push_back(row.front());
    return names;
}

Result<std::vector<OrderRow>> DeviceRecords::orders(std::string_view device, unsigned limit)
{
    static const auto kSql = fmt::format(
        "SELECT {} FROM orders WHERE device = $1 ORDER BY number DESC, created DESC, id DESC LIMIT $2",
        columns::kOrderColumns);
    ACMETOOL_TRY(rows, database_->execute(kSql, {device, std::int64_t{limit}}));
    std::vector<OrderRow> orders;
    orders.reserve(rows.size());
    for (const auto& row : rows)
        orders.push_back(columns::order_of(row));
    return orders;
}

Result<std::vector<IssuedTo>> DeviceRecords::certificates(std::string_view device, unsigned limit)
{
    static const auto kSql = fmt::format(
        "SELECT {}, COALESCE((SELECT at FROM revoked WHERE revoked.serial = certificates.serial), -1) "
        "FROM certificates WHERE device = $1 ORDER BY not_before DESC, COALESCE((SELECT MAX(number) FROM "
        "orders WHERE orders.device = $1 AND orders.certificate = certificates.digest), 0) DESC, digest "
        "LIMIT $2",
        columns::kCertificateColumns);
    ACMETOOL_TRY(rows, database_->execute(kSql, {device, std::int64_t{limit}}));
    std::vector<IssuedTo> certificates;
    certificates.reserve(rows.size());
    for (const auto& row : rows) {
        IssuedTo issued;
        issued.certificate = columns::certificate_of(row);
        if (row.back() != "-1") issued.revoked = columns::time_of(row.back());
        certificates.push_back(std::move(issued));
    }
    return certificates;
}

Result<std::map<Standing, std::uint64_t>> DeviceRecords::count(base::TimePoint since, base::TimePoint now)
{
    // That of the highest number, without looking each device up once more; 7: it is older.
    static const auto kSql =
        fmt::format("SELECT newest % 8, COUNT(*) FROM (SELECT MAX(8 * number + CASE WHEN {} THEN {} "
                    "ELSE 7 END) AS newest FROM orders WHERE {} GROUP BY device) AS devices "
                    "WHERE newest % 8 < 7 GROUP BY 1",
                    kIsSince, kStanding, kIsOfDevice);
    ACMETOOL_TRY(rows, database_->execute(kSql, {columns::seconds(now), columns::seconds(since)}));
    std::map<Standing, std::uint64_t> counts;
    for (const auto& row : rows)
        counts[static_cast<Standing>(store::number_of(row[0]))] =
            static_cast<std::uint64_t>(store::number_of(row[1]));
    return counts;
}

Result<std::vector<ListedDevice>> DeviceRecords::list(const DeviceFilter& filter, base::TimePoint now)
{
    std::string standings;
    for (const auto standing : filter.standings)
        standings += fmt::format("{}{}", standings.empty() ? "" : ", ", static_cast<int>(standing));
    std::string wanted;
    if (!standings.empty()) wanted = fmt::format(" AND {} IN ({})", kStanding, standings);
    std::vector<store::Database::Value> values{columns::seconds(now), columns::seconds(filter.since),
                                               static_cast<std::int64_t>(filter.limit)};
    if (filter.behind) {
        values.emplace_back(columns::seconds(filter.behind->since));
        const auto& id = filter.behind->id;
        if (!id.empty()) values.emplace_back(id);
        wanted += id.empty() ? " AND created < $4" : " AND (created < $4 OR (created = $4 AND device > $5))";
    }
    const auto sql = fmt::format(
        "SELECT orders.device, device_serial, standing, orders.created, orders.until, identifiers, url, why, "
        "words, renewal, CASE WHEN EXISTS (SELECT 1 FROM certificates JOIN revoked ON revoked.serial = "
        "certificates.serial WHERE certificates.digest = orders.certificate) THEN 1 ELSE 0 END "
        "FROM (SELECT id, {0} AS standing FROM orders WHERE {1} AND {2}{3} AND {4} ORDER BY created DESC, "
        "device LIMIT $3) AS page CROSS JOIN orders WHERE orders.id = page.id ORDER BY orders.created DESC, "
        "orders.device",
        kStanding, kIsOfDevice, kIsSince, wanted, kIsNewest);
    ACMETOOL_TRY(rows, database_->execute(sql, values));
    std::vector<ListedDevice> devices;
    for (const auto& row : rows) {
        ListedDevice listed;
        listed.device = {row[0], row[1]};
        listed.standing = static_cast<Standing>(store::number_of(row[2]));
        listed.since = columns::time_of(row[3]);
        listed.until = columns::time_of(row[4]);
        listed.identifiers = columns::identifiers_of(row[5]);
        listed.url = row[6];
        listed.failure.why = static_cast<enrol::Refusal>(store::number_of(row[7]));
        listed.failure.text = row[8];
        listed.renewal = row[9] == "1";
        listed.is_revoked = row[10] == "1";
        devices.push_back(std::move(listed));
    }
    return devices;
}

Result<std::map<std::int64_t, std::uint64_t>> DeviceRecords::renewals(const base::Margin& margin,
                                                                      base::TimePoint from,
                                                                      base::TimePoint until,
                                                                      base::TimePoint now)
{
    // As Margin::due().
    const auto due = margin.fixed ? fmt::format("not_after - {}", margin.fixed->count())
                                  : fmt::format("not_after - (not_after - not_before) / {} * {}",
                                                margin.denominator, margin.numerator);
    ACMETOOL_TRY(
        rows,
        database_->execute(
            fmt::format("SELECT CASE WHEN due < $1 THEN -1 ELSE (due - $2) / 86400 END, COUNT(*) FROM "
                        "(SELECT MAX({}) AS due FROM certificates WHERE not_after > $1 AND device NOT "
                        "BETWEEN 'relay:' AND 'relay;' GROUP BY device) AS devices WHERE due < $3 GROUP BY 1",
                        due),
            {columns::seconds(now), columns::seconds(from), columns::seconds(until)}));
    std::map<std::int64_t, std::uint64_t> days;
    for (const auto& row : rows)
        days[store::number_of(row[0])] = static_cast<std::uint64_t>(store::number_of(row[1]));
    return days;
}

Result<std::vector<Block>> DeviceRecords::blocks()
{
    ACMETOOL_TRY(rows, database_->execute("SELECT device, at FROM blocked ORDER BY at DESC, device"));
    std::vector<Block> all;
    all.reserve(rows.size());
    for (const auto& row : rows)
        all.push_back({row[0], columns::time_of(row[1])});
    return all;
}

Result<std::uint64_t> DeviceRecords::forget_orders(std::string_view device)
{
    ACMETOOL_TRY(
        rows, database_->execute("DELETE FROM orders WHERE device = $1 AND state = 3 RETURNING 1", {device}));
    return static_cast<std::uint64_t>(rows.size());
}

Result<std::uint64_t> DeviceRecords::forget_failures(std::string_view device, base::TimePoint now)
{
    ACMETOOL_TRY(rows, database_->execute("UPDATE orders SET until = $2, generation = generation + 1 "
                                          "WHERE device = $1 AND state = 3 AND until > $2 RETURNING 1",
                                          {device, columns::seconds(now)}));
    return static_cast<std::uint64_t>(rows.size());
}

} // namespace acmetool::ra
