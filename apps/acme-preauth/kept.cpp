#include "acme-preauth/kept.h"

#include <algorithm>

#include <fmt/core.h>

#include "acme/account.h"
#include "acme/preauth_renewal.h"

namespace acmetool::cli
{
namespace
{

constexpr std::string_view kRenew = "acme-preauth renew";

KeptEntry entry_of(const acme::KeptAuthorization& kept, const base::Margin& before, base::TimePoint now)
{
    KeptEntry entry{.kind = "authorization",
                    .name = kept.domain.empty() ? kept.id : kept.domain,
                    .url = kept.unfinished,
                    .failure = kept.failure};
    if (!kept.domain.empty()) entry.identifiers = {{"dns", kept.domain}};
    if (!kept.known) {
        judge(entry, kRenew, now);
        if (kept.failure) {
            entry.state = KeptState::missing;
        } else {
            entry.state = KeptState::unfinished;
            entry.wrong = "the domain is not proved yet";
            entry.next = "the command that began it, run again, goes on with it";
        }
        return entry;
    }
    const auto& known = *kept.known;
    entry.url = known.authorization.url;
    entry.expires = known.authorization.expires;
    entry.renew_at = acme::due_at(known, before, now);
    entry.last_success = known.obtained;
    judge(entry, kRenew, now);
    if (known.lacks_subdomains() && entry.state != KeptState::expired && !entry.failure) {
        entry.state = KeptState::narrow;
        entry.wrong = "the CA does not cover the subdomains";
        entry.next = "order each subdomain with a solver, or use a CA that supports RFC 9444";
    }
    return entry;
}

} // namespace

Result<KeptList> kept_authorizations(const acme::ClientOptions& options, const base::Margin& before, Io& io)
{
    const auto now = io.context().now();
    ACMETOOL_TRY(account, acme::load_account(options.account_file));
    ACMETOOL_TRY(state, acme::StateDirectory::find(options.state_directory, options.account_file));
    KeptList list;
    list.accounts.push_back({options.account_file, account.directory, account.url, {}});
    for (const auto& kept : acme::kept_authorizations(state))
        list.entries.push_back(entry_of(kept, before, now));
    std::sort(list.entries.begin(), list.entries.end(),
              [](const auto& a, const auto& b) { return a.name < b.name; });
    return list;
}

} // namespace acmetool::cli
