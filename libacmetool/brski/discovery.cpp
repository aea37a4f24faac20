#include "brski/discovery.h"

#include <algorithm>

#include <fmt/core.h>

#include "base/text.h"
#include "dns/multicast.h"
#include "dns/service.h"
#include "http/url.h"
#include "net/address_rules.h"

namespace acmetool::brski
{
namespace
{

constexpr const char* kProxy = "_brski-proxy._tcp.local";
constexpr const char* kRegistrar = "_brski-registrar._tcp";

/// `zone` is the interface on which the services were found; empty: none.
void add(std::vector<Candidate>& candidates, const std::vector<dns::Service>& services,
         const std::string& zone, const std::string& source)
{
    for (const auto& service : services)
        for (const auto& address : service.addresses) {
            const bool local = net::is_link_local_v6(address);
            if (local && zone.empty()) continue;
            http::Url url;
            url.host = local ? fmt::format("{}%{}", address, zone) : address;
            url.port = service.port;
            const auto known = std::any_of(candidates.begin(), candidates.end(),
                                           [&](const Candidate& one) { return one.url == url.origin(); });
            if (!known)
                candidates.push_back(
                    {url.origin(), fmt::format("{} ({})", base::printable(service.instance, 260), source)});
        }
}

} // namespace

Result<std::vector<Candidate>> discover_on_links(const std::vector<std::string>& interfaces,
                                                 base::Context& context)
{
    ACMETOOL_TRY(multicast, dns::MulticastDns::open(interfaces, context));
    const std::vector<std::string> services{kProxy, std::string{kRegistrar} + ".local"};
    ACMETOOL_CHECK(multicast->browse(services));
    std::vector<Candidate> candidates;
    for (const auto& service : services)
        for (const auto& interface : multicast->interfaces()) {
            const auto lookup = [&](const std::string& name, dns::Type type) {
                return multicast->lookup(interface, name, type);
            };
            ACMETOOL_TRY(found, dns::find_services(service, lookup, context));
            add(candidates, found, interface, "mDNS on " + interface);
        }
    return candidates;
}

Result<std::vector<Candidate>> discover_in_domain(const std::string& domain, base::Context& context)
{
    const auto resolver = dns::system_resolver();
    const auto lookup = [&](const std::string& name, dns::Type type) -> Result<std::vector<dns::Record>> {
        ACMETOOL_TRY(answer, dns::query(resolver, name, type, true, context));
        return answer.answers;
    };
    ACMETOOL_TRY(services, dns::find_services(fmt::format("{}.{}", kRegistrar, domain), lookup, context));
    std::vector<Candidate> candidates;
    add(candidates, services, {}, "DNS in " + domain);
    return candidates;
}

} // namespace acmetool::brski
