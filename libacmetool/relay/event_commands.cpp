#include "relay/event_commands.h"

#include <algorithm>
#include <optional>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "ra/event_records.h"
#include "relay/daemon.h"
#include "relay/device_report.h"
#include "relay/event_follower.h"
#include "relay/event_text.h"
#include "relay/forecast.h"

namespace acmetool::cli
{
namespace
{

constexpr unsigned kMostListed = 10'000;
constexpr base::Milliseconds kBetweenLooks{1000};
/// A time, or a duration before now.
Result<ra::EventTime> time_in(const std::string& option, const std::string& text, base::TimePoint now)
{
    if (const auto duration = base::parse_duration(text)) return ra::EventTime{now} - *duration;
    if (const auto time = base::parse_rfc3339(text)) return ra::EventTime{*time};
    return fail(Errc::usage, fmt::format("{}: {} is no time", option, base::printable(text, 60)),
                "a duration such as 1d, or a time such as 2026-12-01T03:12:00Z");
}

Result<ra::EventFilter> filter_of(const EventOptions& options, base::TimePoint now)
{
    if (options.limit == 0 || options.limit > kMostListed)
        return fail(Errc::usage, fmt::format("--limit {}: not from 1 to {}", options.limit, kMostListed));
    ra::EventFilter filter;
    filter.limit = options.limit;
    filter.request_id = options.request;
    filter.least = options.level == "error"     ? base::Level::error
                   : options.level == "warning" ? base::Level::warning
                                                : base::Level::info;
    if (!options.since.empty()) {
        ACMETOOL_TRY(since, time_in("--since", options.since, now));
        filter.since = since;
    }
    if (!options.until.empty()) {
        if (options.follow) return fail(Errc::usage, "--follow has no end: leave --until out");
        ACMETOOL_TRY(until, time_in("--until", options.until, now));
        filter.before = ra::EventFilter::Place{until, 0};
    }
    return filter;
}

std::string shown(const std::vector<ra::Event>& events, const std::string& name, bool json)
{
    std::string text;
    for (const auto& event : events) {
        if (!json) {
            text += relay::to_text(event, name);
            continue;
        }
        auto document = relay::to_json(event, name);
        document["type"] = "event";
        document["version"] = 1;
        text += base::to_text(document) + "\n";
    }
    return text;
}

/// Prints what comes, until a signal.
Result<void> follow(relay::EventFollower& follower, const std::string& name, Io& io)
{
    for (;;) {
        const auto since = io.context().steady_now();
        ACMETOOL_CHECK(io.context().sleep(kBetweenLooks, {"the next event", since, {}}));
        const auto tell = [&](const std::vector<ra::Event>& events) -> Result<void> {
            if (io.context().interrupted()) return fail(base::interrupted_error("what came"));
            return io.write(shown(events, name, io.json()));
        };
        ACMETOOL_CHECK(follower.look(io.context().now(), tell));
    }
}

Result<void> events(const std::string& file, const EventOptions& options, const std::string& name,
                    relay::Kind kind, Io& io)
{
    const auto now = io.context().now();
    ACMETOOL_TRY(filter, filter_of(options, now));
    if (options.follow && !io.output().empty())
        return fail(Errc::usage, "--follow writes no file: leave -o out");
    ACMETOOL_TRY(config, relay::load_config(file, kind));
    ACMETOOL_TRY(database, relay::open_store(config));
    if (!options.device.empty()) {
        ACMETOOL_TRY(device, relay::find_device(config, *database, options.device));
        filter.who = device.serial.empty() ? device.id : device.serial;
        filter.device = device.id;
    }
    std::optional<relay::EventFollower> follower;
    if (options.follow) {
        follower.emplace(*database, filter);
        ACMETOOL_CHECK(follower->begin(now));
    }
    auto one_more = filter; // which tells that there are more
    ++one_more.limit;
    ACMETOOL_TRY(found, ra::EventRecords{*database}.list(one_more));
    const bool is_cut = found.size() > filter.limit;
    if (is_cut) found.pop_back();
    std::reverse(found.begin(), found.end());
    if (is_cut)
        io.context().log(base::Level::info,
                         "there are earlier ones: select by --since and --until, or raise --limit");
    std::string text = shown(found, name, io.json());
    if (!io.json() && !found.empty()) text.insert(0, relay::event_header());
    if (!options.follow && found.empty()) io.context().log(base::Level::info, "there are no such events");
    if (!text.empty() || !options.follow) ACMETOOL_CHECK(io.write(text));
    if (!follower) return {};
    follower->told(found);
    return follow(*follower, name, io);
}

Result<void> forecast(const std::string& file, const EventOptions& options, relay::Kind kind, Io& io)
{
    if (options.days == 0 || options.days > relay::kMostDays)
        return fail(Errc::usage, fmt::format("--days {}: not from 1 to {}", options.days, relay::kMostDays));
    ACMETOOL_TRY(config, relay::load_config(file, kind));
    ACMETOOL_TRY(forecast, relay::forecast(config, options.days, io.context().now()));
    if (io.json()) return io.write_document("forecast", relay::to_json(forecast));
    return io.write(relay::to_text(forecast));
}

} // namespace

void add_event_commands(Program& program, std::string& config, EventOptions& options, const std::string& name,
                        relay::Kind kind)
{
    const std::string file = kind == relay::Kind::est ? "relay.toml" : "teap.toml";
    program.verb("events", "list what happened: decisions, refusals, orders, and what was dropped")
        .own_config(config)
        .option("--device DEVICE", options.device,
                "Only of this device, named as for explain, with what the CA said to its requests")
        .option("--request ID", options.request, "Only of the request with this id")
        .option("--since TIME", options.since, "Only from this time on: 1d, or 2026-12-01T03:12:00Z")
        .option("--until TIME", options.until, "Only before this time")
        .option("--level LEVEL", options.level, "The least severe: info, warning, error")
        .choices({"info", "warning", "error"})
        .option("--limit NUMBER", options.limit, "The newest ones, so many, 10000 at most")
        .flag("--follow", options.follow, "Then print what comes, until a signal")
        .without(kNetworkOptions)
        .example(fmt::format("{} events --config {} --since 1d --level warning", name, file))
        .action([&config, &options, name, kind](Io& io) { return events(config, options, name, kind, io); });
    program.verb("forecast", "say what will happen: renewals by day, what ends, and when limits bind")
        .own_config(config)
        .option("--days NUMBER", options.days, "Look so many days ahead, 400 at most")
        .without(kNetworkOptions)
        .example(fmt::format("{} forecast --config {}", name, file))
        .action([&config, &options, kind](Io& io) { return forecast(config, options, kind, io); });
}

} // namespace acmetool::cli
