#include "dns/propagation.h"

#include <algorithm>

#include <fmt/core.h>

#include "base/text.h"
#include "dns/name.h"
#include "net/endpoint.h"

namespace acmetool::dns
{
namespace
{

constexpr base::Milliseconds kFirstPause{100};
constexpr base::Milliseconds kLongestPause{5000};

/// Every address of every name server of `zone`.
Result<std::vector<net::Endpoint>>
authoritative_servers(const std::string& zone, const PropagationOptions& options, base::Context& context)
{
    std::vector<net::Endpoint> servers;
    ACMETOOL_TRY(names, query(options.discovery, zone, Type::ns, true, context));
    for (const auto& record : names.answers) {
        if (record.type != Type::ns) continue;
        for (const auto type : {Type::a, Type::aaaa}) {
            const auto addresses = query(options.discovery, record.data, type, true, context);
            if (!addresses) continue;
            for (const auto& address : addresses->answers) {
                if (address.type != type) continue;
                net::Endpoint server{address.data, 53};
                if (options.update && options.update->host == server.host) server.port = options.update->port;
                servers.push_back(std::move(server));
            }
        }
    }
    if (servers.empty() && options.update) servers.push_back(*options.update);
    if (servers.empty())
        return fail(Errc::unavailable,
                    fmt::format("{}: no name server found through {}", zone, options.discovery.text()),
                    "give one with --name-server, or skip the check with --no-dns-check", "noNameServer");
    std::sort(servers.begin(), servers.end());
    servers.erase(std::unique(servers.begin(), servers.end()), servers.end());
    return servers;
}

/// The answer of `server` about the record; empty if it has the value.
std::string missing_at(const net::Endpoint& server, const Target& target, const std::string& value,
                       base::Context& context)
{
    const auto answer = query(server, target.name, Type::txt, false, context);
    if (!answer) return answer.error().message;
    std::size_t others = 0;
    for (const auto& record : answer->answers) {
        if (record.type != Type::txt || !same_name(record.owner, target.name)) continue;
        if (record.data == value) return {};
        ++others;
    }
    return fmt::format("{}: {}{}", server.text(), answer->rcode_text,
                       others > 0 ? fmt::format(" with {} other values", others) : ", no such record");
}

} // namespace

Result<Target> find_target(const net::Endpoint& discovery, const std::string& name,
                           const std::vector<std::string>& allowed_zones, base::Context& context)
{
    ACMETOOL_TRY(home, find_zone(discovery, name, context));
    Target target{name, home};
    for (int hop = 0; hop <= kMostCnames; ++hop) {
        ACMETOOL_TRY(answer, query(discovery, target.name, Type::cname, true, context));
        const auto alias = std::find_if(answer.answers.begin(), answer.answers.end(), [&](const Record& r) {
            return r.type == Type::cname && same_name(r.owner, target.name);
        });
        if (alias == answer.answers.end()) return target;
        const bool home_zone = is_subdomain_of(alias->data, home);
        const bool allowed =
            std::any_of(allowed_zones.begin(), allowed_zones.end(), [&](const std::string& zone) {
                return same_name(alias->data, zone) || is_subdomain_of(alias->data, zone);
            });
        if (!home_zone && !allowed)
            return fail(Errc::refused,
                        fmt::format("{} is an alias of {}, which is not in a zone of --dns-allow-zone", name,
                                    alias->data),
                        "allow the target zone with --dns-allow-zone, or remove the CNAME",
                        "cnameOutsideAllowedZones");
        target.name = alias->data;
        ACMETOOL_TRY(zone, find_zone(discovery, target.name, context));
        target.zone = zone;
    }
    return fail(Errc::refused, fmt::format("{}: more than {} CNAMEs, or a loop", name, kMostCnames),
                "correct the zone", "cnameLoop");
}

Result<void> wait_until_visible(const Target& target, const std::string& value,
                                const PropagationOptions& options, base::Context& context)
{
    auto servers = options.name_servers;
    if (servers.empty()) {
        ACMETOOL_TRY(found, authoritative_servers(target.zone, options, context));
        servers = std::move(found);
    }
    const auto began = context.steady_now();
    const auto deadline = began + options.wait;
    auto pause = kFirstPause;
    for (;;) {
        std::vector<std::string> missing;
        for (const auto& server : servers)
            if (auto what = missing_at(server, target, value, context); !what.empty())
                missing.push_back(std::move(what));
        if (missing.empty()) return {};
        if (context.steady_now() + pause > deadline)
            return fail(Errc::unavailable,
                        fmt::format("{} is not visible on all name servers after {}: {}", target.name,
                                    base::describe(options.wait), base::join(missing, "; ")),
                        "check that the lagging name server can reach its primary and that the zone is "
                        "delegated to it",
                        "notPropagated");
        ACMETOOL_CHECK(
            context.sleep(pause, {fmt::format("{} name {} to show {}", missing.size(),
                                              missing.size() == 1 ? "server" : "servers", target.name),
                                  began, deadline}));
        pause = std::min(pause * 2, kLongestPause);
    }
}

} // namespace acmetool::dns
