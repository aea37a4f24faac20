#pragma once

#include <optional>
#include <string>
#include <vector>

#include "acme/preauth.h"
#include "base/result.h"

/// Pre-authorizations kept alive by cron and systemd timers.
namespace acmetool::acme
{

/// What became of one domain.
struct Renewal {
    std::string domain;
    bool due = false;
    bool changed = false;
    std::optional<base::TimePoint> expires;      ///< after a failure, of the authorization that there was
    std::optional<base::TimePoint> last_success; ///< when it was last known to be good
    std::optional<Error> error;
};

/// When `preauth` is due: the margin before its expiry; at once where it is not valid, does not expire by its
/// own word but was never seen valid, or lacks the subdomains it was asked for.
ACMETOOL_EXPORT bool is_due(const PreAuthorization& preauth, const base::Margin& margin, base::TimePoint now);

/// What the state knows of each domain, and whether it is due; no request is made. A domain whose state
/// cannot be read has the error.
ACMETOOL_EXPORT std::vector<Renewal> check_renewals(StateDirectory& state, const std::string& directory,
                                                    const std::vector<std::string>& domains, bool subdomains,
                                                    const base::Margin& margin, base::TimePoint now);

/// Authorizes anew what is due. One failing domain never stops the others. `changed` says that the expiry
/// moved.
ACMETOOL_EXPORT Result<void> renew(Client& client, std::vector<Renewal>& renewals, bool subdomains,
                                   Solver& solver);

/// The text of node_exporter's file for these domains (acme_authorization_expires_timestamp_seconds,
/// acme_last_success_timestamp_seconds, acme_renewal_failed).
ACMETOOL_EXPORT std::string metrics_of(const std::vector<Renewal>& renewals);

} // namespace acmetool::acme
