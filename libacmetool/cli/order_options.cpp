#include "cli/order_options.h"

#include "base/text.h"
#include "dns/name.h"

namespace acmetool::cli
{

void add_order(Verb& verb, OrderOptions& options)
{
    verb.option("--ancestor-domain", options.ancestor_domains,
                "Parent domain that can be authorized for the names below it (RFC 9444; repeatable)");
    verb.option("--profile", options.profile, "Certificate profile, of those the CA offers");
}

Result<acme::OrderTask> order_task(crypto::Csr csr, const OrderOptions& options)
{
    ACMETOOL_TRY(identifiers, crypto::require_identifiers(csr));
    for (const auto& identifier : identifiers) {
        if (identifier.type != "dns") continue;
        ACMETOOL_TRY(normal, dns::normalize_name(identifier.value, {.allow_wildcard = true}));
        // What is certified is the request's own bytes: a name in another form cannot be mended here.
        if (normal != identifier.value)
            return fail(Errc::bad_input,
                        "the CSR has " + base::printable(identifier.value, 255) + " where it should be " +
                            normal,
                        "csr-build writes names in the form that certificates have", "badLabel");
    }
    acme::OrderTask task;
    task.csr = std::move(csr);
    task.identifiers = std::move(identifiers);
    task.profile = options.profile;
    for (const auto& domain : options.ancestor_domains) {
        ACMETOOL_TRY(name, dns::normalize_name(domain));
        task.ancestor_domains.push_back(name);
    }
    return task;
}

} // namespace acmetool::cli
