#include "relay/device_commands.h"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "relay/daemon.h"
#include "relay/device_list.h"
#include "relay/device_report.h"

namespace acmetool::cli
{
namespace
{

Result<std::string> only_device(const DeviceOptions& options)
{
    if (options.device.size() == 1 && !options.device.front().empty()) return options.device.front();
    return fail(
        Errc::usage, "name one device",
        "its serial number, identifier or name, the serial number of its certificate, or a request id");
}

Result<void> explain(const std::string& file, const DeviceOptions& options, const std::string& name,
                     relay::Kind kind, Io& io)
{
    ACMETOOL_TRY(device, only_device(options));
    ACMETOOL_TRY(config, relay::load_config(file, kind));
    ACMETOOL_TRY(report, relay::report_device(config, device, name, io.context().now()));
    if (io.json()) return io.write_document("device", relay::to_json(report));
    return io.write(relay::to_text(report));
}

Result<std::vector<ra::Standing>> standings_in(const std::string& words)
{
    std::vector<ra::Standing> standings;
    if (words.empty()) return standings;
    for (const auto word : base::split(words, ',')) {
        const auto standing = ra::standing_of(base::trim(word));
        if (!standing)
            return fail(Errc::usage, fmt::format("--state: {} is not a state", base::printable(word, 60)),
                        "pending, failed, issued, expiring, refused, unseen");
        standings.push_back(*standing);
    }
    return standings;
}

Result<void> devices(const std::string& file, const DeviceOptions& options, relay::Kind kind, Io& io)
{
    relay::DevicePage page;
    auto& filter = page.filter;
    ACMETOOL_TRY(standings, standings_in(options.state));
    filter.standings = std::move(standings);
    page.with_refused = true;
    if (options.limit == 0 || options.limit > relay::kMostListed)
        return fail(Errc::usage,
                    fmt::format("--limit {}: not from 1 to {}", options.limit, relay::kMostListed));
    filter.limit = options.limit;
    if (!options.after.empty()) {
        ACMETOOL_TRY(after, relay::parse_cursor(options.after));
        page.after = std::move(after);
    }
    const auto now = io.context().now();
    if (options.since.count() > 0)
        filter.since = now - std::chrono::duration_cast<std::chrono::seconds>(options.since);
    ACMETOOL_TRY(config, relay::load_config(file, kind));
    ACMETOOL_TRY(list, relay::list_devices(config, page, now));
    if (io.json()) return io.write_document("devices", relay::to_json(list));
    return io.write(relay::to_text(list));
}

Result<void> retry(const std::string& file, const DeviceOptions& options, relay::Kind kind, Io& io)
{
    ACMETOOL_TRY(device, only_device(options));
    ACMETOOL_TRY(config, relay::load_config(file, kind));
    ACMETOOL_TRY(retried, relay::retry_device(config, device, io.context().now()));
    const auto id = base::printable(retried.device.id.empty() ? device : retried.device.id);
    if (io.json())
        return io.write_document("retry", {{"device", id},
                                           {"failures", retried.failures},
                                           {"underWay", retried.under_way},
                                           {"voucherRequest", retried.has_voucher_request}});
    auto text =
        fmt::format("{}: {} forgotten", id,
                    retried.failures == 1 ? "1 failure" : fmt::format("{} failures", retried.failures));
    if (retried.under_way > 0)
        text += fmt::format("; {} under way, not touched",
                            retried.under_way == 1 ? "1 order" : fmt::format("{} orders", retried.under_way));
    if (retried.has_voucher_request) text += "; its voucher-request is open again";
    return io.write(text + "\n");
}

Result<void> forget(const std::string& file, const DeviceOptions& options, relay::Kind kind, Io& io)
{
    ACMETOOL_TRY(device, only_device(options));
    ACMETOOL_TRY(config, relay::load_config(file, kind));
    ACMETOOL_TRY(forgotten, relay::forget_device(config, device));
    const auto id = base::printable(forgotten.device.id.empty() ? device : forgotten.device.id);
    if (io.json())
        return io.write_document("forgotten", {{"device", id},
                                               {"orders", forgotten.orders},
                                               {"voucherRequest", forgotten.has_voucher_request}});
    return io.write(fmt::format("{}: {}{} forgotten\n", id,
                                forgotten.orders == 1 ? "1 failed order"
                                                      : fmt::format("{} failed orders", forgotten.orders),
                                forgotten.has_voucher_request ? " and 1 voucher-request" : ""));
}

} // namespace

void add_device_commands(Program& program, std::string& config, DeviceOptions& options,
                         const std::string& name, relay::Kind kind)
{
    const std::string file = kind == relay::Kind::est ? "relay.toml" : "teap.toml";
    constexpr const char* kDeviceHelp =
        "Serial number of a device or of its certificate, SERIAL@MANUFACTURER, "
        "identifier, name, or the request id of an order";
    program.verb("explain", "say why a device has no certificate, and what happens next")
        .own_config(config)
        .words("DEVICE", options.device, kDeviceHelp, true)
        .without(kNetworkOptions)
        .example(fmt::format("{} explain --config {} device0001", name, file))
        .action([&config, &options, name, kind](Io& io) { return explain(config, options, name, kind, io); });
    program.verb("devices", "list devices by the state of their newest order or request")
        .own_config(config)
        .option(
            "--state STATE", options.state,
            "Only these, separated by commas: pending, failed, issued, expiring, refused, unseen; default: "
            "all but unseen")
        .suggestions({"pending", "failed", "issued", "expiring", "refused", "unseen"})
        .option("--since DURATION", options.since, "Only what changed in this time")
        .option("--limit NUMBER", options.limit, "Longest list, 1000 at most")
        .option("--after PLACE", options.after,
                "Go on behind a list that was cut, which ends with this PLACE")
        .without(kNetworkOptions)
        .example(fmt::format("{} devices --config {} --state failed --since 1d", name, file))
        .action([&config, &options, kind](Io& io) { return devices(config, options, kind, io); });
    program.verb("retry", "forget the failures of a device: its next request is a new try")
        .own_config(config)
        .words("DEVICE", options.device, kDeviceHelp, true)
        .without(kNetworkOptions)
        .example(fmt::format("{} retry --config {} device0001", name, file))
        .action([&config, &options, kind](Io& io) { return retry(config, options, kind, io); });
    program.verb("forget", "forget the failed orders of a device, also what the CA has of them")
        .own_config(config)
        .words("DEVICE", options.device, kDeviceHelp, true)
        .without(kNetworkOptions)
        .example(fmt::format("{} forget --config {} device0001", name, file))
        .action([&config, &options, kind](Io& io) { return forget(config, options, kind, io); });
}

} // namespace acmetool::cli
