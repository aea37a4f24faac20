#include "ra/event_records.h"

#include <fmt/core.h>

namespace acmetool::ra
{
namespace
{

using Value = store::Database::Value;
using Row = store::Database::Row;

constexpr unsigned kEventsPurgedAtOnce = 500;
constexpr unsigned kMostRequests = 1000; ///< of a device, whose events elsewhere are found

constexpr std::string_view kColumns = "at, number, level, what, outcome, cause, words, hint, protocol, "
                                      "device, who, request_id, address, station, relay, times, details";

/// A condition: the last decision on somebody's requests, since $1 in microseconds, is a refusal that no
/// order has. Of the index events_refused.
constexpr std::string_view kIsRefused =
    "what = 'decision' AND outcome = 'refused' AND who <> '' AND at >= $1 "
    "AND details NOT LIKE '%\"ground\":\"orderFailed\"%' "
    "AND details NOT LIKE '%\"ground\":\"failureRemembered\"%' "
    "AND NOT EXISTS (SELECT 1 FROM events AS later WHERE later.who <> '' AND later.who = events.who "
    "AND later.device = events.device AND later.what = 'decision' "
    "AND (later.at, later.number) > (events.at, events.number))";

std::int64_t seconds_in(base::TimePoint time)
{
    return time.time_since_epoch().count();
}

std::int64_t microseconds(EventTime time)
{
    return time.time_since_epoch().count();
}

EventTime event_time_of(const std::string& column)
{
    return EventTime{std::chrono::microseconds{store::number_of(column)}};
}

Event event_of(const Row& row)
{
    Event event;
    event.at = event_time_of(row[0]);
    event.number = store::number_of(row[1]);
    event.level = static_cast<base::Level>(store::number_of(row[2]));
    event.what = row[3];
    event.outcome = row[4];
    event.cause = row[5];
    event.text = row[6];
    event.hint = row[7];
    event.protocol = row[8];
    event.device = row[9];
    event.who = row[10];
    event.request_id = row[11];
    event.address = row[12];
    event.station = row[13];
    event.relay = row[14];
    event.times = static_cast<std::uint64_t>(store::number_of(row[15]));
    event.details = row[16];
    return event;
}

} // namespace

std::string to_rfc3339(EventTime time)
{
    const auto whole = std::chrono::floor<std::chrono::seconds>(time);
    auto text = base::to_rfc3339(whole);
    const auto fraction = std::chrono::floor<base::Milliseconds>(time - whole);
    text.insert(text.size() - 1, fmt::format(".{:03}", fraction.count()));
    return text;
}

Result<void> EventRecords::put(const Event& event)
{
    static const auto kSql = fmt::format("INSERT INTO events ({}) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,"
                                         "$12,$13,$14,$15,$16,$17) ON CONFLICT DO NOTHING",
                                         kColumns);
    return database_->write(kSql, {microseconds(event.at), event.number,
                                   std::int64_t{static_cast<int>(event.level)}, event.what, event.outcome,
                                   event.cause, event.text, event.hint, event.protocol, event.device,
                                   event.who, event.request_id, event.address, event.station, event.relay,
                                   static_cast<std::int64_t>(event.times), event.details});
}

Result<std::vector<Event>> EventRecords::list(const EventFilter& filter)
{
    std::vector<Value> values{microseconds(filter.since), std::int64_t{static_cast<int>(filter.least)},
                              static_cast<std::int64_t>(filter.limit)};
    const auto place = [&values](Value value) {
        values.push_back(value);
        return fmt::format("${}", values.size());
    };
    std::string common = "at >= $1 AND level <= $2";
    if (filter.before)
        common += fmt::format(" AND (at, number) < ({}, {})", place(microseconds(filter.before->at)),
                              place(filter.before->number));
    if (filter.after)
        common += fmt::format(" AND (at, number) > ({}, {})", place(microseconds(filter.after->at)),
                              place(filter.after->number));
    // The conditions of partial indexes are repeated, because a parameter says nothing to who plans.
    if (!filter.request_id.empty())
        common += fmt::format(" AND request_id <> '' AND request_id = {}", place(filter.request_id));
    if (!filter.station.empty()) common += fmt::format(" AND station = {}", place(filter.station));
    const auto select = [&](const std::string& condition) {
        return fmt::format("SELECT {} FROM events WHERE {}{}", kColumns, common, condition);
    };
    std::string sql = select("");
    if (!filter.who.empty()) {
        const auto who = place(filter.who);
        const auto own = fmt::format(
            "who <> '' AND who = {}{}", who,
            filter.device.empty() ? "" : fmt::format(" AND device IN ({}, '')", place(filter.device)));
        // What the CA says of an order bears the id of the request that placed it, and no device.
        sql = fmt::format("SELECT {0} FROM ({1} UNION ALL {2}) AS found", kColumns, select(" AND " + own),
                          select(fmt::format(" AND who = '' AND request_id <> '' AND request_id IN "
                                             "(SELECT request_id FROM events WHERE {} AND request_id <> '' "
                                             "ORDER BY at DESC LIMIT {})",
                                             own, kMostRequests)));
    }
    const auto* const order = filter.oldest_first ? "ASC" : "DESC";
    ACMETOOL_TRY(rows, database_->execute(fmt::format("{0} ORDER BY at {1}, number {1} LIMIT $3", sql, order),
                                          values));
    std::vector<Event> events;
    events.reserve(rows.size());
    for (const auto& row : rows)
        events.push_back(event_of(row));
    return events;
}

Result<std::vector<EventCount>> EventRecords::causes(EventTime since, unsigned limit)
{
    ACMETOOL_TRY(rows, database_->execute(
                           "SELECT what, outcome, cause, CAST(SUM(times) AS BIGINT), MAX(at) FROM events "
                           "WHERE at >= $1 AND level <= $2 GROUP BY what, outcome, cause "
                           "ORDER BY 4 DESC, what, outcome, cause LIMIT $3",
                           {microseconds(since), std::int64_t{static_cast<int>(base::Level::warning)},
                            std::int64_t{limit}}));
    std::vector<EventCount> counts;
    counts.reserve(rows.size());
    for (const auto& row : rows)
        counts.push_back({row[0], row[1], row[2], static_cast<std::uint64_t>(store::number_of(row[3])),
                          event_time_of(row[4])});
    return counts;
}

Result<std::vector<std::string>> EventRecords::devices_of(std::string_view who)
{
    return devices_by("who", who);
}

Result<std::vector<std::string>> EventRecords::devices_at(std::string_view station)
{
    return devices_by("station", station);
}

Result<std::vector<std::string>> EventRecords::devices_by(std::string_view column, std::string_view value)
{
    ACMETOOL_TRY(rows, database_->execute(
                           fmt::format("SELECT device, MAX(at) FROM events WHERE {0} = $1 AND {0} <> '' AND "
                                       "device <> '' GROUP BY device ORDER BY 2 DESC LIMIT 20",
                                       column),
                           {value}));
    std::vector<std::string> devices;
    devices.reserve(rows.size());
    for (const auto& row : rows)
        devices.push_back(row.front());
    return devices;
}

Result<std::vector<RefusedDevice>>
EventRecords::refused(base::TimePoint since, const std::optional<store::Behind>& behind, std::uint64_t limit)
{
    std::vector<Value> values{seconds_in(since) * 1000000, static_cast<std::int64_t>(limit)};
    std::string rest;
    if (behind) {
        values.emplace_back(seconds_in(behind->since));
        rest = " AND at / 1000000 < $3";
        if (!behind->id.empty()) {
            values.emplace_back(behind->id);
            rest = " AND (at / 1000000 < $3 OR (at / 1000000 = $3 AND who || ' ' || device > $4))";
        }
    }
    ACMETOOL_TRY(rows,
                 database_->execute(fmt::format("SELECT who, device, cause, words, at FROM events WHERE {}{} "
                                                "ORDER BY at / 1000000 DESC, who || ' ' || device LIMIT $2",
                                                kIsRefused, rest),
                                    values));
    std::vector<RefusedDevice> devices;
    devices.reserve(rows.size());
    for (const auto& row : rows)
        devices.push_back({row[0], row[1], row[2], row[3], event_time_of(row[4])});
    return devices;
}

Result<std::uint64_t> EventRecords::count_refused(base::TimePoint since)
{
    ACMETOOL_TRY(rows, database_->execute(fmt::format("SELECT COUNT(*) FROM events WHERE {}", kIsRefused),
                                          {seconds_in(since) * 1000000}));
    return static_cast<std::uint64_t>(store::number_of(rows.front().front()));
}

Result<std::set<std::string>> EventRecords::known()
{
    ACMETOOL_TRY(rows, database_->execute("SELECT DISTINCT who FROM events WHERE who <> ''"));
    std::set<std::string> known;
    for (auto& row : rows)
        known.insert(std::move(row.front()));
    return known;
}

Result<bool> EventRecords::purge(EventTime before)
{
    ACMETOOL_TRY(gone,
                 database_->execute(
                     fmt::format("DELETE FROM events WHERE (at, number) IN (SELECT at, number FROM events "
                                 "WHERE at < $1 ORDER BY at LIMIT {}{}) RETURNING 1",
                                 kEventsPurgedAtOnce, database_->skip_locked()),
                     {microseconds(before)}));
    return gone.size() < kEventsPurgedAtOnce;
}

} // namespace acmetool::ra
