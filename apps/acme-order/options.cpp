#include "acme-order/options.h"

#include "base/text.h"
#include "cli/options.h"
#include "dns/name.h"

namespace acmetool::cli
{

void add_order(Verb& verb, OrderOptions& options)
{
    verb.group("Order options");
    verb.option("--ancestor-domain DOMAIN", options.ancestor_domains,
                "Parent domain whose authorization covers the names below it (RFC 9444; repeatable)");
    verb.option("--profile NAME", options.profile, "Certificate profile offered by the CA");
    verb.option("--not-before TIME", options.not_before,
                "Request this start of validity: RFC 3339 or a duration from now");
    verb.option("--not-after TIME", options.not_after,
                "Request this end of validity: RFC 3339 or a duration from now");
    verb.group({});
}

void add_chain(Verb& verb, OrderOptions& options)
{
    verb.group("Order options");
    verb.option("--preferred-chain ISSUER", options.chain,
                "Prefer the chain with this issuer name or with a certificate of this SHA-256");
    verb.group({});
}

Result<acme::OrderTask> order_task(crypto::Csr csr, const OrderOptions& options, base::TimePoint now)
{
    ACMETOOL_TRY(identifiers, crypto::require_identifiers(csr));
    for (const auto& identifier : identifiers) {
        if (identifier.type != "dns") continue;
        ACMETOOL_TRY(normal, dns::normalize_name(identifier.value, {.allow_wildcard = true}));
        // The CA certifies the bytes of the request, so the form of a name cannot be corrected here.
        if (normal != identifier.value)
            return fail(Errc::bad_input,
                        "the CSR contains the name " + base::printable(identifier.value, 255) +
                            ", which must be written " + normal,
                        "csr-build writes names in the form that certificates use", "badLabel");
    }
    acme::OrderTask task;
    task.csr = std::move(csr);
    task.identifiers = std::move(identifiers);
    task.profile = options.profile;
    ACMETOOL_TRY(not_before, parse_moment(options.not_before, "--not-before", now));
    ACMETOOL_TRY(not_after, parse_moment(options.not_after, "--not-after", now));
    if (not_after && *not_after <= not_before.value_or(now))
        return fail(Errc::usage, "--not-after " + options.not_after + ": not after the start of validity", {},
                    "badTime");
    task.not_before = not_before;
    task.not_after = not_after;
    if (not_before || not_after) task.lifetime = options.not_before + "/" + options.not_after;
    task.chain = acme::parse_chain_choice(options.chain);
    ACMETOOL_TRY(ancestors, dns::normalize_names(options.ancestor_domains));
    task.ancestor_domains = std::move(ancestors);
    return task;
}

} // namespace acmetool::cli
