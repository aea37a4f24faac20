#include "acme/caa.h"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/core.h>

#include "acme/issue_value.h"
#include "base/text.h"
#include "net/endpoint.h"

namespace acmetool::acme
{
namespace
{

constexpr int kNoError = 0;
constexpr int kNameError = 3;
constexpr int kRefused = 5;
constexpr unsigned kCritical = 128;
/// IANA's registry of CAA properties.
constexpr std::array<std::string_view, 7> kKnownTags{"issue",        "issuewild",    "issuemail", "issuevmc",
                                                     "contactemail", "contactphone", "iodef"};

template <class List, class Value>
bool contains(const List& list, const Value& value)
{
    return std::find(list.begin(), list.end(), value) != list.end();
}

/// From "flags tag value", the form of dns::Record.
CaaRecord parse_caa(const std::string& data)
{
    CaaRecord record;
    const auto first = data.find(' ');
    const auto second = first == std::string::npos ? first : data.find(' ', first + 1);
    if (second == std::string::npos) return record;
    std::from_chars(data.data(), data.data() + first, record.flags);
    record.tag = data.substr(first + 1, second - first - 1);
    record.value = data.substr(second + 1);
    return record;
}

/// RFC 8657 section 3: "A Property with multiple "accounturi" parameters is unsatisfiable."
bool is_for_account(const IssueValue& value, const std::string& account_uri)
{
    const auto accounts = value.values_of("accounturi");
    return accounts.empty() || (accounts.size() == 1 && accounts.front() == account_uri);
}

bool allows_method(const IssueValue& value, const std::string& method)
{
    const auto lists = value.values_of("validationmethods");
    return lists.empty() || (lists.size() == 1 && contains(base::split(lists.front(), ','), method));
}

} // namespace

Result<CaaSet> find_caa(const dns::Resolver& resolver, const std::string& domain, base::Context& context)
{
    CaaSet set;
    for (std::string name = domain;;) {
        ACMETOOL_TRY(answer, dns::query(resolver, name, dns::Type::caa, true, context));
        if (answer.rcode == kRefused && name != domain) return set;
        if (answer.rcode != kNoError && answer.rcode != kNameError)
            return fail(Errc::unavailable,
                        fmt::format("DNS server {}: CAA {}: {}", resolver.text(), name, answer.rcode_text),
                        "a CA that gets this answer must not issue", "dnsRcode");
        for (const auto& record : answer.answers)
            if (record.type == dns::Type::caa) set.records.push_back(parse_caa(record.data));
        if (!set.records.empty()) {
            set.name = name;
            return set;
        }
        const auto dot = name.find('.');
        if (dot == std::string::npos) return set;
        name.erase(0, dot + 1);
    }
}

std::optional<std::string> caa_objection(const std::vector<CaaRecord>& records, const CaaRequest& request)
{
    // RFC 8659 section 4.3: if there is an issuewild, only it applies to wildcards.
    const bool wild = request.wildcard && std::any_of(records.begin(), records.end(),
                                                      [](const auto& r) { return r.tag == "issuewild"; });
    bool restricted = false;
    std::vector<IssueValue> ours;
    std::vector<std::string> others;
    for (const auto& record : records) {
        if ((record.flags & kCritical) != 0 && !contains(kKnownTags, record.tag))
            return fmt::format("the property {} is critical: a CA that does not know it must not issue",
                               base::printable(record.tag, 50));
        if (record.tag != (wild ? "issuewild" : "issue")) continue;
        restricted = true;
        auto value = parse_issue_value(record.value).value_or(IssueValue{});
        if (contains(request.issuers, value.issuer))
            ours.push_back(std::move(value));
        else if (!value.issuer.empty())
            others.push_back(base::printable(value.issuer, 255));
    }
    if (!restricted) return std::nullopt;
    if (ours.empty())
        return others.empty() ? "they allow no CA to issue" : "they name " + base::join(others, ", ");
    ours.erase(std::remove_if(ours.begin(), ours.end(),
                              [&](const auto& value) { return !is_for_account(value, request.account_uri); }),
               ours.end());
    if (ours.empty()) return "they only allow another account of this CA to issue";
    for (const auto& method : request.methods)
        if (std::none_of(ours.begin(), ours.end(),
                         [&](const auto& value) { return allows_method(value, method); }))
            return fmt::format("they do not allow the validation method {}", method);
    return std::nullopt;
}

} // namespace acmetool::acme
