#include "ca/faults.h"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/text.h"

namespace acmetool::ca
{
namespace
{

constexpr std::array<std::string_view, 46> kNames{
    "account",       "alreadyReplaced", "authzExpired",      "authzReuse",     "badNonce",
    "certificate",   "challengeDelay",  "contentType",       "crlHold",        "deepNesting",
    "directory",     "duplicateKeys",   "emptyChallenges",   "html",           "hugeBody",
    "missing",       "newAuthz",        "newTerms",          "noAlternate",    "noLocation",
    "noNonce",       "noOrdersList",    "nonceLifetime",     "notFound",       "orderInvalid",
    "orderNotReady", "ordersPerPage",   "otherIdentifier",   "preauthorized",  "problem",
    "processing",    "rateLimited",     "rejectIdentifiers", "renewalInfo",    "reorderAuthz",
    "reset",         "resetAfter",      "retryAfter",        "serverError",    "slow",
    "subdomainFlag", "truncated",       "unavailable",       "unknownMembers", "unknownStatus",
    "validation"};

unsigned to_number(std::string_view text)
{
    unsigned number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

} // namespace

Result<void> Faults::set(std::string_view assignment)
{
    const auto equals = assignment.find('=');
    const std::string name{assignment.substr(0, equals)};
    if (std::find(kNames.begin(), kNames.end(), name) == kNames.end())
        return fail(Errc::usage, fmt::format("\"{}\" is no fault", base::printable(name, 60)),
                    "acme-ca(1) lists them", "unknownFault");
    const std::string value{equals == std::string_view::npos ? "1" : assignment.substr(equals + 1)};
    const std::scoped_lock lock{mutex_};
    if (value.empty() || value == "off")
        values_.erase(name);
    else
        values_[name] = value;
    return {};
}

std::optional<std::string> Faults::value(std::string_view name) const
{
    const std::scoped_lock lock{mutex_};
    const auto found = values_.find(name);
    return found == values_.end() ? std::nullopt : std::optional{found->second};
}

unsigned Faults::number(std::string_view name) const
{
    return to_number(value(name).value_or("0"));
}

bool Faults::count_down(std::string_view name)
{
    const std::scoped_lock lock{mutex_};
    const auto found = values_.find(name);
    if (found == values_.end()) return false;
    const auto left = to_number(found->second);
    if (left <= 1)
        values_.erase(found);
    else
        found->second = std::to_string(left - 1);
    return left > 0;
}

bool Faults::take(std::string_view name, std::string_view resource)
{
    const std::scoped_lock lock{mutex_};
    const auto found = values_.find(name);
    if (found == values_.end()) return false;
    const auto colon = found->second.find(':');
    if (std::string_view{found->second}.substr(0, colon) != resource) return false;
    if (colon == std::string::npos) return true;
    const auto left = to_number(std::string_view{found->second}.substr(colon + 1));
    if (left <= 1)
        values_.erase(found);
    else
        found->second = fmt::format("{}:{}", resource, left - 1);
    return left > 0;
}

std::optional<std::string> Faults::take_word(std::string_view name, std::string_view resource)
{
    const std::scoped_lock lock{mutex_};
    const auto found = values_.find(name);
    if (found == values_.end()) return std::nullopt;
    const auto parts = base::split(found->second, ':');
    if (parts.size() < 2 || parts[0] != resource) return std::nullopt;
    std::string word{parts[1]};
    if (parts.size() > 2) {
        const auto left = to_number(parts[2]);
        if (left <= 1)
            values_.erase(found);
        else
            found->second = fmt::format("{}:{}:{}", resource, word, left - 1);
    }
    return word;
}

std::string Faults::to_json() const
{
    const std::scoped_lock lock{mutex_};
    base::Json object = base::Json::object();
    for (const auto& [name, value] : values_)
        object[name] = value;
    return base::to_text(object);
}

void Faults::apply(std::string_view resource, http::ServerResponse& response)
{
    const auto set_type = [&](std::string_view type) {
        for (auto& [name, value] : response.headers)
            if (name == "Content-Type") value = type;
    };
    if (take("html", resource)) {
        response.body = "<html><body>502 Bad Gateway</body></html>";
        set_type("text/html");
    }
    if (take("truncated", resource)) response.body.resize(response.body.size() / 2);
    if (take("deepNesting", resource)) response.body = std::string(100'000, '[');
    if (take("duplicateKeys", resource)) response.body = R"({"status":"valid","status":"pending"})";
    if (take("hugeBody", resource)) response.body.assign(100U << 20U, 'x');
    if (take("contentType", resource)) set_type("application/json; charset=utf-8");
    if (take("resetAfter", resource)) response.drop = true;
    if (take("noLocation", resource))
        std::erase_if(response.headers, [](const auto& header) { return header.first == "Location"; });
    if (number("unknownMembers") > 0 && response.body.starts_with('{'))
        response.body.insert(1, R"("unknown":{"a":[1,null,{"b":true}]},)");
    if (const auto value = this->value("missing"); value && response.body.starts_with('{'))
        if (auto object = base::parse_json(response.body, "reply"); object) {
            object->erase(*value);
            response.body = base::to_text(*object);
        }
    if (number("noNonce") > 0 && resource != "newNonce")
        std::erase_if(response.headers, [](const auto& header) { return header.first == "Replay-Nonce"; });
}

} // namespace acmetool::ca
