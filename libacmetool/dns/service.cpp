#include "dns/service.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include <fmt/core.h>

#include "base/text.h"
#include "crypto/digest.h"
#include "dns/name.h"
#include "net/address_rules.h"

namespace acmetool::dns
{
namespace
{

constexpr std::size_t kMostInstances = 16;
constexpr std::size_t kMostAddresses = 8;

/// The data of an SRV record.
struct Target {
    std::uint16_t priority = 0;
    std::uint16_t weight = 0;
    std::uint16_t port = 0;
    std::string host;
};

std::optional<Target> parse_target(const Record& record)
{
    const auto fields = base::split(record.data, ' ');
    Target target;
    std::size_t at = 0;
    if (fields.size() != 4) return std::nullopt;
    for (auto* number : {&target.priority, &target.weight, &target.port}) {
        const auto& field = fields[at++];
        if (std::from_chars(field.data(), field.data() + field.size(), *number).ec != std::errc{})
            return std::nullopt;
    }
    target.host = fields[3];
    return target;
}

/// Among targets of one priority, the lower goes first; as likely as RFC 2782 has it, in proportion to the
/// weight.
double place_of(const Target& target)
{
    constexpr double kLeastWeight = 0.01; // of weight 0: "a very small chance of being selected"
    const double dice = (crypto::random_number<std::uint32_t>() + 1.0) / 4294967297.0;
    return -std::log(dice) / std::max<double>(target.weight, kLeastWeight);
}

Result<std::vector<std::string>> addresses_of(const std::string& host, const Lookup& lookup,
                                              base::Context& context)
{
    std::vector<std::string> found;
    for (const auto type : {Type::aaaa, Type::a}) {
        ACMETOOL_TRY(records, lookup(host, type));
        for (const auto& record : records) {
            if (record.type != type || found.size() >= kMostAddresses ||
                std::find(found.begin(), found.end(), record.data) != found.end())
                continue;
            if (net::can_be_another_host(record.data))
                found.push_back(record.data);
            else
                context.log(base::Level::warning,
                            fmt::format("{}: the address {} is ignored: it is no other host's",
                                        base::printable(host, 260), base::printable(record.data, 60)));
        }
    }
    std::stable_partition(found.begin(), found.end(), net::is_link_local_v6);
    return found;
}

/// The names of instances in PTR records, which are one label below the service.
std::vector<std::string> instances_in(const std::vector<Record>& records, const std::string& service,
                                      base::Context& context)
{
    std::vector<std::string> instances;
    for (const auto& record : records) {
        if (record.type != Type::ptr || !same_name(record.owner, service) ||
            instances.size() >= kMostInstances ||
            std::find(instances.begin(), instances.end(), record.data) != instances.end())
            continue;
        if (record.data.ends_with("." + service))
            instances.push_back(record.data);
        else
            context.log(base::Level::warning,
                        fmt::format("{}: the instance {} is ignored: it is not below the service", service,
                                    base::printable(record.data, 260)));
    }
    return instances;
}

/// A service and its place in the order of trial.
struct Offer {
    std::uint16_t priority = 0;
    double place = 0;
    Service service;
};

/// Adds what an instance offers.
Result<void> add_offers(const std::string& instance, const Lookup& lookup, base::Context& context,
                        std::vector<Offer>& offers)
{
    const auto ignore = [&](std::string_view why) {
        context.log(base::Level::warning,
                    fmt::format("{} is ignored: {}", base::printable(instance, 260), why));
    };
    ACMETOOL_TRY(records, lookup(instance, Type::srv));
    bool has_target = false;
    for (const auto& record : records) {
        const auto target = record.type == Type::srv ? parse_target(record) : std::nullopt;
        if (!target || offers.size() >= kMostInstances) continue;
        has_target = true;
        // RFC 2782: "A Target of '.' means that the service is decidedly not available at this domain."
        if (target->port == 0 || target->host == ".") {
            ignore("it is not available");
            continue;
        }
        ACMETOOL_TRY(addresses, addresses_of(target->host, lookup, context));
        if (addresses.empty())
            ignore(fmt::format("its host {} has no address", base::printable(target->host, 260)));
        else
            offers.push_back({target->priority,
                              place_of(*target),
                              {instance, target->host, target->port, std::move(addresses)}});
    }
    if (!has_target) ignore("it has no SRV record");
    return {};
}

} // namespace

Result<std::vector<Service>> find_services(const std::string& service, const Lookup& lookup,
                                           base::Context& context)
{
    std::vector<Offer> offers;
    ACMETOOL_TRY(pointers, lookup(service, Type::ptr));
    for (const auto& instance : instances_in(pointers, service, context)) {
        const auto added = add_offers(instance, lookup, context, offers);
        if (added) continue;
        // Whoever answered before and does not now would take as long for each of the others.
        if (offers.empty() || added.error().code == Errc::interrupted) return fail(added.error());
        context.log(base::Level::warning, added.error().message);
        break;
    }
    std::sort(offers.begin(), offers.end(), [](const Offer& a, const Offer& b) {
        return a.priority != b.priority ? a.priority < b.priority : a.place < b.place;
    });
    std::vector<Service> services;
    services.reserve(offers.size());
    for (auto& offer : offers)
        services.push_back(std::move(offer.service));
    return services;
}

} // namespace acmetool::dns
