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

/// A name server of the zone, or a given server.
struct NameServer {
    std::string name;
    std::vector<net::Endpoint> addresses;
    bool good = false;    ///< it had the value: it is not asked again
    std::string unseen{}; ///< why it could not be asked at all; empty: it was asked
};

std::vector<std::string> addresses_of(const std::string& name, const Resolver& resolver,
                                      base::Context& context)
{
    std::vector<std::string> addresses;
    for (const auto type : {Type::a, Type::aaaa}) {
        const auto answer = query(resolver, name, type, true, context);
        if (!answer) continue;
        for (const auto& record : answer->answers)
            if (record.type == type) addresses.push_back(record.data);
    }
    return addresses;
}

/// Every name server of `zone` with its addresses.
Result<std::vector<NameServer>>
authoritative_servers(const std::string& zone, const PropagationOptions& options, base::Context& context)
{
    std::vector<NameServer> servers;
    bool any_address = false;
    ACMETOOL_TRY(names, query(options.discovery, zone, Type::ns, true, context));
    for (const auto& record : names.answers) {
        if (record.type != Type::ns) continue;
        NameServer server{record.data, {}};
        auto addresses = addresses_of(record.data, options.discovery, context);
        // A primary that answers only for its own zones does not know names of others.
        if (addresses.empty() && options.fallback)
            addresses = addresses_of(record.data, *options.fallback, context);
        for (auto& address : addresses) {
            net::Endpoint endpoint{std::move(address), 53};
            if (options.update && options.update->host == endpoint.host) endpoint.port = options.update->port;
            server.addresses.push_back(std::move(endpoint));
        }
        if (server.addresses.empty()) server.unseen = "its address could not be resolved";
        any_address = any_address || !server.addresses.empty();
        servers.push_back(std::move(server));
    }
    if (context.interrupted()) return fail(base::interrupted_error("the name servers of " + zone));
    if (!any_address && options.update)
        servers.push_back({options.update->text(), {*options.update}});
    else if (!any_address)
        return fail(Errc::unavailable,
                    fmt::format("{}: no name server found through {}", zone, options.discovery.text()),
                    "give one with --name-server, or skip the check with --no-dns-check", "noNameServer");
    return servers;
}

/// The answer of one address about the record.
struct Sight {
    enum class Kind { shown, stale, silent, no_route } kind;
    std::string text; ///< if not shown
};

Sight look_at(const net::Endpoint& server, const Target& target, const std::string& value, unsigned tries,
              base::Context& context)
{
    Resolver one{server};
    one.attempts = tries;
    const auto answer = query(one, target.name, Type::txt, false, context);
    if (!answer)
        return {answer.error().reason.word() == "dnsNoRoute" ? Sight::Kind::no_route : Sight::Kind::silent,
                answer.error().message};
    std::size_t others = 0;
    for (const auto& record : answer->answers) {
        if (record.type != Type::txt || !same_name(record.owner, target.name)) continue;
        if (record.data == value) return {Sight::Kind::shown, {}};
        ++others;
    }
    return {Sight::Kind::stale,
            fmt::format("{}: {}{}", server.text(), answer->rcode_text,
                        others > 0 ? fmt::format(" with {} other values", others) : ", no such record")};
}

/// Asks all addresses of `server`, and notes whether it is good or could not be asked. What it lacks; empty
/// if nothing.
std::string missing_at(NameServer& server, const Target& target, const std::string& value,
                       base::Context& context)
{
    std::string stale;
    std::string silent;
    bool shown = false;
    bool routed = false;
    for (const auto& address : server.addresses) {
        const auto sight = look_at(address, target, value, shown ? 1 : Resolver{}.attempts, context);
        shown = shown || sight.kind == Sight::Kind::shown;
        routed = routed || sight.kind != Sight::Kind::no_route;
        auto& list = sight.kind == Sight::Kind::stale ? stale : silent;
        if (sight.kind == Sight::Kind::stale || sight.kind == Sight::Kind::silent)
            list += (list.empty() ? "" : "; ") + sight.text;
    }
    server.good = shown && stale.empty();
    if (server.good) return {};
    if (!routed) {
        server.unseen = "this host has no route to it";
        return {};
    }
    return stale.empty() ? silent : stale;
}

} // namespace

Result<Target> find_target(const Resolver& discovery, const std::string& name,
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
    std::vector<NameServer> servers;
    for (const auto& server : options.name_servers)
        servers.push_back({server.text(), {server}});
    if (servers.empty()) {
        ACMETOOL_TRY(found, authoritative_servers(target.zone, options, context));
        servers = std::move(found);
    }
    const auto began = context.steady_now();
    auto deadline = began + options.wait;
    if (const auto end = context.run_ends()) deadline = std::min(deadline, *end);
    auto pause = kFirstPause;
    for (;;) {
        std::vector<std::string> missing;
        for (auto& server : servers)
            if (!server.good && server.unseen.empty())
                if (auto what = missing_at(server, target, value, context); !what.empty())
                    missing.push_back(std::move(what));
        const bool any = std::any_of(servers.begin(), servers.end(), [](const auto& s) { return s.good; });
        if (missing.empty() && any) {
            for (const auto& server : servers)
                if (!server.unseen.empty())
                    context.log(base::Level::warning, fmt::format("name server {} of {} was not checked: {}",
                                                                  server.name, target.zone, server.unseen));
            return {};
        }
        if (missing.empty()) { // no name server could be asked; a route may come
            for (auto& server : servers)
                if (!server.addresses.empty()) {
                    missing.push_back(fmt::format("{}: {}", server.name, server.unseen));
                    server.unseen.clear();
                }
        }
        if (context.steady_now() + pause > deadline)
            return fail(Errc::unavailable,
                        fmt::format("{} is not visible on all name servers after {}: {}", target.name,
                                    base::describe(std::chrono::ceil<base::Milliseconds>(deadline - began)),
                                    base::join(missing, "; ")),
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
