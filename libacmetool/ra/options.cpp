#include "ra/options.h"

#include <algorithm>
#include <tuple>

#include <fmt/core.h>

#include "base/hex.h"
#include "crypto/digest.h"

namespace acmetool::ra
{
namespace
{

auto members(const base::Margin& margin)
{
    return std::tuple{margin.fixed, margin.numerator, margin.denominator};
}

bool same(const DomainOptions& a, const DomainOptions& b)
{
    return std::tie(a.name, a.preauthorize, a.authz_file) == std::tie(b.name, b.preauthorize, b.authz_file) &&
           members(a.renew_before) == members(b.renew_before);
}

auto members(const acme::SolverOptions& solver)
{
    return std::tie(solver.dns_update, solver.tsig_key, solver.dns_allow_zones, solver.hook,
                    solver.hook_style, solver.hook_cleanup, solver.hook_env, solver.hook_timeout,
                    solver.webroot, solver.manual, solver.dns_account, solver.resolver, solver.name_servers,
                    solver.no_dns_check, solver.dns_wait);
}

} // namespace

bool same_issuer(const Options& a, const Options& b)
{
    return a.account_file == b.account_file && a.account_passphrase_file == b.account_passphrase_file &&
           a.issuer_program == b.issuer_program && a.issuer_env == b.issuer_env &&
           a.limits.requests_in_flight == b.limits.requests_in_flight &&
           members(a.solver) == members(b.solver) &&
           std::equal(a.domains.begin(), a.domains.end(), b.domains.begin(), b.domains.end(), same);
}

LimitOptions in_force(LimitOptions limits, std::size_t devices)
{
    constexpr std::size_t kLeast = 1000;
    if (limits.orders_in_total == 0)
        limits.orders_in_total = static_cast<unsigned>(std::max(kLeast, devices));
    return limits;
}

std::string settings_digest(const Options& options)
{
    // Lengths keep what follows each other apart.
    std::string text;
    const auto add = [&text](const auto& value) {
        const auto shown = fmt::format("{}", value);
        text += fmt::format("{}:{},", shown.size(), shown);
    };
    for (const auto& domain : options.domains) {
        add(domain.name);
        add(domain.preauthorize);
    }
    for (const auto& [name, label] : options.labels) {
        for (const auto& value : {name, label.domain, label.profile, label.san, label.key_type})
            add(value);
        for (const auto& word : label.allow)
            add(word);
        add(label.cn_is_name);
    }
    const auto& limits = options.limits;
    for (const auto number : {limits.orders_per_device, limits.orders_in_total, limits.renewal_reserve})
        add(number);
    add(limits.budget_window.count());
    add(static_cast<int>(options.pop));
    // Only then: one of the version before has the digest of those that have a file.
    if (options.idevid.inventory_in_store) add("inventory in the store");
    return to_hex(crypto::sha256(as_bytes(text)));
}

} // namespace acmetool::ra
