#include "acme/preauth_renewal.h"

#include <fmt/core.h>

namespace acmetool::acme
{

bool is_due(const PreAuthorization& preauth, const base::Margin& margin, base::TimePoint now)
{
    const auto& authorization = preauth.authorization;
    if (authorization.status != "valid" || preauth.lacks_subdomains()) return true;
    const auto time = due_at(preauth, margin, now);
    return time && now >= *time;
}

std::optional<base::TimePoint> due_at(const PreAuthorization& preauth, const base::Margin& margin,
                                      base::TimePoint now)
{
    const auto& expires = preauth.authorization.expires;
    if (!expires) return std::nullopt;
    return margin.due(preauth.obtained.value_or(now), *expires);
}

std::vector<Renewal> check_renewals(StateDirectory& state, const std::string& directory,
                                    const std::vector<std::string>& domains, bool subdomains,
                                    const base::Margin& margin, base::TimePoint now)
{
    std::vector<Renewal> renewals;
    for (const auto& domain : domains) {
        Renewal renewal;
        renewal.domain = domain;
        auto read = remembered(state, directory, domain);
        if (!read) {
            renewal.error = with_context(std::move(read).error(), domain);
            renewals.push_back(std::move(renewal));
            continue;
        }
        auto& known = *read;
        if (known) known->subdomains_asked = subdomains;
        renewal.due = !known || is_due(*known, margin, now);
        if (known) {
            renewal.expires = known->authorization.expires;
            renewal.last_success = renewal.due ? known->obtained : now;
            if (!renewal.due) renewal.renew_at = due_at(*known, margin, now);
        }
        renewals.push_back(std::move(renewal));
    }
    return renewals;
}

Result<void> renew(Client& client, std::vector<Renewal>& renewals, bool subdomains, Solver& solver)
{
    for (auto& renewal : renewals) {
        if (!renewal.due) continue;
        auto preauth = preauthorize(client, renewal.domain, subdomains, solver);
        if (!preauth) {
            if (preauth.error().code == Errc::interrupted) return fail(preauth.error());
            renewal.error = preauth.error();
            continue;
        }
        renewal.changed =
            preauth->authorization.status == "valid" && preauth->authorization.expires != renewal.expires;
        renewal.expires = preauth->authorization.expires;
        if (preauth->authorization.status == "valid") renewal.last_success = client.context().now();
        if (preauth->authorization.status != "valid")
            renewal.error =
                Error{.code = Errc::temporary,
                      .message = fmt::format("{}: still {}", renewal.domain, preauth->authorization.status),
                      .hint = "run the same command again",
                      .reason = {},
                      .problem_type = {},
                      .problem = {},
                      .retry_after = {}};
        else if (!renewal.changed)
            client.context().log(
                base::Level::warning,
                fmt::format("{}: the CA still returns the authorization that expires soon", renewal.domain));
    }
    return {};
}

std::string metrics_of(const std::vector<Renewal>& renewals)
{
    std::string text = "# HELP acme_authorization_expires_timestamp_seconds When the authorization expires.\n"
                       "# TYPE acme_authorization_expires_timestamp_seconds gauge\n";
    for (const auto& renewal : renewals)
        if (renewal.expires)
            text += fmt::format("acme_authorization_expires_timestamp_seconds{{domain=\"{}\"}} {}\n",
                                renewal.domain, renewal.expires->time_since_epoch().count());
    text += "# HELP acme_last_success_timestamp_seconds When the authorization was last renewed or found not "
            "due.\n"
            "# TYPE acme_last_success_timestamp_seconds gauge\n";
    for (const auto& renewal : renewals)
        if (renewal.last_success)
            text += fmt::format("acme_last_success_timestamp_seconds{{domain=\"{}\"}} {}\n", renewal.domain,
                                renewal.last_success->time_since_epoch().count());
    text += "# HELP acme_renewal_failed Whether the last run failed for this domain.\n"
            "# TYPE acme_renewal_failed gauge\n";
    for (const auto& renewal : renewals)
        text +=
            fmt::format("acme_renewal_failed{{domain=\"{}\"}} {}\n", renewal.domain, renewal.error ? 1 : 0);
    return text;
}

} // namespace acmetool::acme
