#include "acme/persistent_record.h"

#include <algorithm>
#include <charconv>

#include <fmt/core.h>

#include "acme/issue_value.h"
#include "base/base64url.h"
#include "base/bytes.h"
#include "base/text.h"
#include "crypto/digest.h"

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
        if (problem != std::errc{} || end != last) return std::nullopt;
        record.until = base::TimePoint{std::chrono::seconds{until}};
    }
    return record;
}

std::string hashed_account_uri(std::string_view prefix, std::string_view domain, std::string_view thumbprint,
                               std::string_view account_url)
{
    std::string text{static_cast<char>(domain.size())};
    for (const auto part : {domain, thumbprint, account_url})
        text += part;
    return fmt::format("{}sha-256/{}", prefix, base::to_base64url(crypto::sha256(as_bytes(text))));
}

std::optional<PersistentVerdict> judge_persistent_record(std::string_view text,
                                                         const std::vector<std::string>& issuers,
                                                         const std::vector<std::string>& accounts, bool wide,
                                                         base::TimePoint now)
{
    const auto contains = [](const std::vector<std::string>& list, const std::string& value) {
        return std::find(list.begin(), list.end(), value) != list.end();
    };
    if (!contains(issuers, base::to_lower(base::trim(base::split(text, ';').front())))) return std::nullopt;
    PersistentVerdict verdict;
    auto record = parse_persistent_record(text);
    if (!record) {
        verdict.malformed = true;
        verdict.why = "it is malformed, names no account, or its persistUntil is not a number";
        return verdict;
    }
    verdict.record = std::move(*record);
    if (verdict.record.until && now > *verdict.record.until)
        verdict.why = "its persistUntil has passed";
    else if (!contains(accounts, verdict.record.account_uri))
        verdict.why = "it does not name the account";
    else if (wide && !verdict.record.wildcard)
        verdict.why = "it lacks policy=wildcard";
    verdict.granted = verdict.why.empty();
    return verdict;
}

} // namespace acmetool::acme
