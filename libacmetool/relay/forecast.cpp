#include "relay/forecast.h"

#include <algorithm>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "acme/account.h"
#include "acme/preauth.h"
#include "acme/state.h"
#include "base/text.h"
#include "ra/ca_files.h"
#include "ra/device_records.h"
#include "ra/inventory_records.h"
#include "relay/device_files.h"
#include "relay/device_report.h"
#include "relay/screen.h"
#include "store/configured.h"

namespace acmetool::relay
{
namespace
{

using base::TimePoint;
using std::chrono::days;

std::string day_of(TimePoint time)
{
    return base::to_rfc3339(time).substr(0, 10);
}

/// Those that the account's state remembers. A file that whoever asks cannot read tells nothing.
void add_authorizations(std::vector<Ending>& endings, const Config& config)
{
    if (config.ra.account_file.empty()) return;
    const auto account = acme::load_account(config.ra.account_file);
    if (!account) return;
    auto state = acme::StateDirectory::open({}, config.ra.account_file);
    if (!state) return;
    for (const auto& domain : config.ra.domains) {
        const auto known = acme::remembered(*state, account->directory, domain.name);
        if (!known || !*known || !(*known)->authorization.expires) continue;
        const auto& authorization = **known;
        const auto end = *authorization.authorization.expires;
        endings.push_back(
            {"authorization of " + domain.name, end,
             authorization.obtained && domain.preauthorize
                 ? fmt::format("the relay renews it from {}",
                               base::to_rfc3339(domain.renew_before.due(*authorization.obtained, end)))
                 : std::string{}});
    }
}

void add_certificate_ends(std::vector<Ending>& endings, const Config& config)
{
    if (const auto chain = store::read_configured_certificates(config.http.certificate_file))
        endings.push_back({"the relay's own certificate, " + config.http.certificate_file,
                           chain->front().not_after(), "renew it, then send SIGHUP"});
    const auto files = ra::read_ca_files(config.ra.cacerts);
    if (!files) return;
    const auto add = [&](std::string_view what, const std::vector<crypto::Certificate>& certificates) {
        for (const auto& one : certificates)
            endings.push_back({fmt::format("{} {}", what, base::printable(one.subject(), 200)),
                               one.not_after(), "add the next one to [cacerts] before"});
    };
    add("the CA's root", files->roots);
    add("the trust anchor", files->anchors);
    add("the CA's intermediate", files->intermediates);
}

/// A file may be large, and counts only if no limit is set.
Result<std::size_t> devices_in_inventory(const Config& config, store::Database& database)
{
    if (config.ra.limits.orders_in_total != 0) return std::size_t{0};
    if (!config.ra.idevid.inventory_in_store) return read_device_files(config).inventory.size();
    ACMETOOL_TRY(counts, ra::InventoryRecords{database}.count());
    return static_cast<std::size_t>(counts.devices);
}

void warn_of_limits(Forecast& forecast)
{
    const auto& limits = forecast.limits;
    const auto per_day = std::chrono::duration<double>{days{1}} / limits.budget_window;
    const auto allowed = static_cast<std::uint64_t>(limits.orders_in_total * per_day);
    const auto busiest = std::max_element(forecast.renewals.begin(), forecast.renewals.end());
    if (busiest != forecast.renewals.end() && *busiest > allowed)
        forecast.warnings.push_back(fmt::format(
            "{} devices renew on {}, and orders_in_total in [limits] allows {} a day: raise it, if the CA "
            "allows",
            *busiest, day_of(forecast.from + days{busiest - forecast.renewals.begin()}), allowed));
    const auto others = forecast.spent.all - std::min(forecast.spent.all, forecast.spent.renewals);
    const auto counted = others + std::max<std::uint64_t>(forecast.spent.renewals, limits.renewal_reserve);
    if (forecast.spent.all >= limits.orders_in_total)
        forecast.warnings.push_back("no order is placed now: orders_in_total in [limits] is reached");
    else if (counted >= limits.orders_in_total)
        forecast.warnings.push_back(
            "no new device is enrolled now: what is left of orders_in_total is renewal_reserve");
}

} // namespace

Result<Forecast> forecast(const Config& config, unsigned days_ahead, TimePoint now)
{
    ACMETOOL_TRY(database, open_store(config));
    Forecast forecast;
    forecast.from = std::chrono::floor<days>(now);
    forecast.days = days_ahead;
    forecast.renewals.resize(days_ahead);
    ACMETOOL_TRY(renewals, ra::DeviceRecords{*database}.renewals(config.ra.reissue_margin, forecast.from,
                                                                 forecast.from + days{days_ahead}, now));
    for (const auto& [day, count] : renewals)
        if (day < 0)
            forecast.overdue = count;
        else
            forecast.renewals.at(static_cast<std::size_t>(day)) = count;
    const auto& limits = config.ra.limits;
    ACMETOOL_TRY(devices, devices_in_inventory(config, *database));
    forecast.limits = ra::in_force(limits, devices);
    ACMETOOL_TRY(spent, ra::Records{*database}.count_spent(now - forecast.limits.budget_window));
    forecast.spent = spent;
    add_authorizations(forecast.endings, config);
    add_certificate_ends(forecast.endings, config);
    std::stable_sort(forecast.endings.begin(), forecast.endings.end(),
                     [](const auto& a, const auto& b) { return a.at < b.at; });
    warn_of_limits(forecast);
    return forecast;
}

base::Json to_json(const Forecast& forecast)
{
    base::Json renewals = base::Json::array();
    for (std::size_t day = 0; day < forecast.renewals.size(); ++day)
        renewals.push_back({{"day", day_of(forecast.from + days{day})}, {"devices", forecast.renewals[day]}});
    base::Json endings = base::Json::array();
    for (const auto& one : forecast.endings) {
        base::Json ending{{"what", base::printable(one.what)}, {"at", base::to_rfc3339(one.at)}};
        if (!one.next.empty()) ending["next"] = one.next;
        endings.push_back(std::move(ending));
    }
    return {{"renewals", std::move(renewals)},
            {"overdue", forecast.overdue},
            {"endings", std::move(endings)},
            {"orders",
             {{"window", forecast.limits.budget_window.count()},
              {"placed", forecast.spent.all},
              {"renewals", forecast.spent.renewals},
              {"limit", forecast.limits.orders_in_total},
              {"renewalReserve", forecast.limits.renewal_reserve},
              {"limitPerDevice", forecast.limits.orders_per_device}}},
            {"warnings", forecast.warnings}};
}

std::string to_text(const Forecast& forecast)
{
    constexpr std::size_t kWidth = 76;
    constexpr std::uint64_t kBar = 40;
    std::string text;
    for (const auto& warning : forecast.warnings)
        for (const auto& part : folded("warning: " + warning, kWidth))
            text += part + "\n";
    const auto& limits = forecast.limits;
    text += fmt::format("orders in {}: {} of {}, {} of them renewals; {} are kept for renewals\n",
                        base::describe(limits.budget_window), forecast.spent.all, limits.orders_in_total,
                        forecast.spent.renewals, limits.renewal_reserve);
    if (forecast.overdue > 0)
        text += fmt::format("{} devices should have renewed by now\n", forecast.overdue);
    text += "\nRENEWALS (UTC)\n";
    std::uint64_t most = 1;
    for (const auto count : forecast.renewals)
        most = std::max(most, count);
    for (std::size_t day = 0; day < forecast.renewals.size(); ++day)
        if (const auto count = forecast.renewals[day]; count > 0)
            text += fmt::format("{}  {:>8}  {}\n", day_of(forecast.from + days{day}), count,
                                std::string(static_cast<std::size_t>((count * kBar + most - 1) / most), '#'));
    text += "\nENDS\n";
    for (const auto& one : forecast.endings) {
        text += fmt::format("{}  {}\n", base::to_rfc3339(one.at), base::printable(one.what));
        if (!one.next.empty()) text += fmt::format("    {}\n", one.next);
    }
    return text;
}

} // namespace acmetool::relay
