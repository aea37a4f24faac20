#include "acme/persistent_record.h"

#include <algorithm>
#include <charconv>

#include <fmt/core.h>

#include "acme/issue_value.h"
#include "base/text.h"

namespace acmetool::acme
{

Result<std::string> PersistentRecord::text() const
{
    IssueValue value{issuer, {{"accounturi", account_uri}}};
    if (wildcard) value.parameters.emplace_back("policy", "wildcard");
    if (until)
        value.parameters.emplace_back("persistUntil", std::to_string(until->time_since_epoch().count()));
    return value.text();
}

std::string persistent_name(std::string_view domain)
{
    return fmt::format("_validation-persist.{}", domain);
}

std::optional<PersistentRecord> parse_persistent_record(std::string_view text)
{
    const auto value = parse_issue_value(text);
    if (!value) return std::nullopt;
    const auto accounts = value->values_of("accounturi");
    const auto policies = value->values_of("policy");
    const auto ends = value->values_of("persistuntil");
    if (value->issuer.empty() || accounts.size() != 1 || accounts.front().empty() || policies.size() > 1 ||
        ends.size() > 1)
        return std::nullopt;
    PersistentRecord record;
    record.issuer = value->issuer;
    record.account_uri = accounts.front();
    record.wildcard = !policies.empty() && base::equals_ignoring_case(policies.front(), "wildcard");
    for (const auto end_text : ends) {
        std::int64_t until = 0;
        const auto* const last = end_text.data() + end_text.size();
        const auto [end, problem] = std::from_chars(end_text.data(), last, until);
        // A malformed limit counts as passed, never as absent.
        const bool read = problem == std::errc{} && end == last;
        record.until = base::TimePoint{std::chrono::seconds{read ? until : 0}};
    }
    return record;
}

bool is_persistent_permission(std::string_view text, const std::vector<std::string>& issuers,
                              std::string_view account, bool wide, base::TimePoint now, std::string& why)
{
    const auto issuer = base::to_lower(base::trim(base::split(text, ';').front()));
    if (std::find(issuers.begin(), issuers.end(), issuer) == issuers.end()) return false;
    const auto record = parse_persistent_record(text);
    if (!record) {
        why = "it is malformed or names no account";
        return false;
    }
    if (record->until && now > *record->until) {
        why = "its persistUntil has passed or is not a number";
        return false;
    }
    if (record->account_uri != account) {
        why = "it does not name the account";
        return false;
    }
    if (wide && !record->wildcard) why = "it lacks policy=wildcard";
    return !wide || record->wildcard;
}

} // namespace acmetool::acme
