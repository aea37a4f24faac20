#pragma once

#include <optional>
#include <string>
#include <vector>

#include "acme/preauth.h"
#include "base/result.h"

/// Renewal of pre-authorizations from cron and systemd timers.
namespace acmetool::acme
{

/// The result for one domain.
struct Renewal {
    std::string domain;
    bool due = false;
    bool changed = false;
    std::optional<base::TimePoint> renew_at;     ///< when it becomes due; absent if it is, or never
    std::optional<base::TimePoint> expires;      ///< after a failure, that of the existing authorization
    std::optional<base::TimePoint> last_success; ///< when it was last renewed or found not due
    std::optional<Error> error;
};

/// When `preauth` is due: the margin before its expiry; immediately if it is not valid, has no expiry and was
/// never seen valid, or lacks the requested subdomains.
ACMETOOL_EXPORT bool is_due(const PreAuthorization& preauth, const base::Margin& margin, base::TimePoint now);
/// The margin before the expiry of a valid one; nothing if it does not expire.
ACMETOOL_EXPORT std::optional<base::TimePoint> due_at(const PreAuthorization& preauth,
                                                      const base::Margin& margin, base::TimePoint now);

/// The state of each domain and whether it is due; sends no request. A domain whose state cannot be read has
/// the error.
ACMETOOL_EXPORT std::vector<Renewal> check_renewals(StateDirectory& state, const std::string& directory,
                                                    const std::vector<std::string>& domains, bool subdomains,
                                                    const base::Margin& margin, base::TimePoint now);

/// Renews what is due. If one domain fails, the others are still processed. `changed`: the expiry changed.
ACMETOOL_EXPORT Result<void> renew(Client& client, std::vector<Renewal>& renewals, bool subdomains,
                                   Solver& solver);

/// The metrics for node_exporter for these domains (acme_authorization_expires_timestamp_seconds,
/// acme_last_success_timestamp_seconds, acme_renewal_failed).
ACMETOOL_EXPORT std::string metrics_of(const std::vector<Renewal>& renewals);

} // namespace acmetool::acme
