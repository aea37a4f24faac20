#include "acme/authorization.h"

#include <algorithm>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/text.h"

namespace acmetool::acme
{

const Challenge* Authorization::find_challenge(std::string_view type) const
{
    const auto found = std::find_if(challenges.begin(), challenges.end(),
                                    [&](const Challenge& c) { return c.type == type; });
    return found == challenges.end() ? nullptr : &*found;
}

std::string Authorization::why_not_valid() const
{
    std::string text;
    for (const auto& challenge : challenges)
        if (challenge.error)
            text += fmt::format("{}{}: {}", text.empty() ? "" : "; ", base::printable(challenge.type),
                                describe(*challenge.error));
    return text.empty() ? fmt::format("the authorization is {}", base::printable(status)) : text;
}

Result<Authorization> parse_authorization(std::string_view json, std::string_view url)
{
    const auto what = fmt::format("authorization {}", base::printable(url));
    const auto broken = [](Error error) {
        error.code = Errc::protocol;
        error.reason = "badAuthorization";
        return fail(std::move(error));
    };
    const auto object = base::parse_json_object(json, what);
    if (!object) return broken(object.error());
    Authorization authorization;
    authorization.url = url;
    auto status = base::required_string(*object, "status", what);
    if (!status) return broken(status.error());
    authorization.status = std::move(*status);
    const auto identifier = object->find("identifier");
    auto name =
        base::required_string(identifier == object->end() ? base::Json{} : *identifier, "value", what);
    if (!name) return broken(name.error());
    authorization.identifier = base::to_lower(name->starts_with("*.") ? name->substr(2) : *name);
    authorization.wildcard = base::bool_member(*object, "wildcard", false) || name->starts_with("*.");
    authorization.subdomain_auth_allowed = base::bool_member(*object, "subdomainAuthAllowed", false);
    if (const auto text = base::string_member(*object, "expires"))
        if (const auto time = base::parse_rfc3339(*text)) authorization.expires = *time;
    const auto list = object->find("challenges");
    if (list == object->end() || !list->is_array()) return authorization;
    for (const auto& entry : *list) {
        Challenge challenge;
        challenge.type = base::string_member(entry, "type").value_or("");
        challenge.url = base::string_member(entry, "url").value_or("");
        if (challenge.type.empty() || challenge.url.empty()) continue;
        challenge.status = base::string_member(entry, "status").value_or("pending");
        challenge.token = base::string_member(entry, "token").value_or("");
        if (const auto names = entry.find("issuer-domain-names"); names != entry.end() && names->is_array())
            for (const auto& issuer : *names)
                if (issuer.is_string()) challenge.issuer_domain_names.push_back(issuer.get<std::string>());
        if (const auto error = entry.find("error"); error != entry.end())
            challenge.error =
                parse_problem(error->dump(-1, ' ', false, base::Json::error_handler_t::replace));
        authorization.challenges.push_back(std::move(challenge));
    }
    return authorization;
}

} // namespace acmetool::acme
