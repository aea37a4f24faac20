#include "acme/persistent_record.h"

#include <algorithm>
#include <charconv>

#include <fmt/core.h>

#include "base/text.h"

namespace acmetool::acme
{

std::string PersistentRecord::text() const
{
    auto text = fmt::format("{}; accounturi={}", issuer, account_uri);
    if (wildcard) text += "; policy=wildcard";
    if (until) text += fmt::format("; persistUntil={}", until->time_since_epoch().count());
    return text;
}

std::string persistent_name(std::string_view domain)
{
    return fmt::format("_validation-persist.{}", domain);
}

std::optional<PersistentRecord> parse_persistent_record(std::string_view text)
{
    const auto parts = base::split(text, ';');
    PersistentRecord record;
    record.issuer = base::to_lower(base::trim(parts.front()));
    for (std::size_t i = 1; i < parts.size(); ++i) {
        const auto equals = parts[i].find('=');
        if (equals == std::string_view::npos) continue;
        const auto tag = base::to_lower(base::trim(parts[i].substr(0, equals)));
        const auto value = base::trim(parts[i].substr(equals + 1));
        if (tag == "accounturi") record.account_uri = value;
        if (tag == "policy") record.wildcard = base::equals_ignoring_case(value, "wildcard");
        if (tag == "persistuntil") {
            std::int64_t until = 0;
            const auto [end, problem] = std::from_chars(value.data(), value.data() + value.size(), until);
            // What cannot be read has come to its end: a limit is never taken for none.
            const bool read = problem == std::errc{} && end == value.data() + value.size();
            record.until = base::TimePoint{std::chrono::seconds{read ? until : 0}};
        }
    }
    if (record.issuer.empty() || record.account_uri.empty()) return std::nullopt;
    return record;
}

bool is_persistent_permission(std::string_view text, const std::vector<std::string>& issuers,
                              std::string_view account, bool wide, base::TimePoint now, std::string& why)
{
    const auto issuer = base::to_lower(base::trim(base::split(text, ';').front()));
    if (std::find(issuers.begin(), issuers.end(), issuer) == issuers.end()) return false;
    const auto record = parse_persistent_record(text);
    if (record && record->until && now > *record->until) {
        why = "its persistUntil is over, or is no number";
        return false;
    }
    if (!record || record->account_uri != account) {
        why = "it does not name the account";
        return false;
    }
    if (wide && !record->wildcard) why = "it lacks policy=wildcard";
    return !wide || record->wildcard;
}

} // namespace acmetool::acme
