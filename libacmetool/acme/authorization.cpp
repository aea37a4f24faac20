#include "acme/authorization.h"

#include <algorithm>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/text.h"
#include "base/word.h"
#include "dns/name.h"
#include "net/address_range.h"

namespace acmetool::acme
{
namespace
{

using base::Json;

/// The server's identifier, normalised; nothing if it is invalid.
std::optional<crypto::Identifier> read_identifier(const Json& object)
{
    const auto member = object.find("identifier");
    if (member == object.end() || !member->is_object()) return std::nullopt;
    const auto type = base::string_member(*member, "type").value_or("dns");
    const auto value = base::string_member(*member, "value").value_or("");
    if (type == "ip") {
        const auto address = net::canonical_address(value);
        return address ? std::optional{crypto::Identifier{type, *address}} : std::nullopt;
    }
    const auto name = dns::normalize_name(value, {.allow_wildcard = true});
    return type == "dns" && name ? std::optional{crypto::Identifier{type, *name}} : std::nullopt;
}

std::string_view base_of(std::string_view name)
{
    return name.starts_with("*.") ? name.substr(2) : name;
}

bool fits(const crypto::Identifier& identifier, const AuthorizationScope& scope)
{
    return std::any_of(scope.identifiers.begin(), scope.identifiers.end(),
                       [&](const crypto::Identifier& ordered) {
                           if (ordered.type != identifier.type) return false;
                           if (ordered.type == "ip")
                               return net::canonical_address(ordered.value) == identifier.value;
                           const auto name = base_of(ordered.value);
                           return dns::same_name(name, identifier.value) ||
                                  (scope.ancestors && dns::is_subdomain_of(name, identifier.value));
                       });
}

bool has_wildcard_of(const AuthorizationScope& scope, const std::string& name)
{
    return std::any_of(scope.identifiers.begin(), scope.identifiers.end(),
                       [&](const crypto::Identifier& ordered) { return ordered.value == "*." + name; });
}

/// Nothing if a required member (RFC 8555 section 8) is missing or malformed.
std::optional<Challenge> read_challenge(const Json& object)
{
    Challenge challenge;
    challenge.type = base::string_member(object, "type").value_or("");
    challenge.url = base::string_member(object, "url").value_or("");
    challenge.status = base::string_member(object, "status").value_or("pending");
    if (!base::is_word(challenge.type) || !base::is_word(challenge.status) || challenge.url.empty())
        return std::nullopt;
    challenge.token = base::string_member(object, "token").value_or("");
    // The spelling of draft-ietf-acme-dns-persist-02, then that of the drafts before.
    for (const auto* spelling : {"issuerDomainNames", "issuer-domain-names"})
        if (const auto names = object.find(spelling);
            challenge.issuer_domain_names.empty() && names != object.end() && names->is_array())
            for (const auto& issuer : *names)
                if (issuer.is_string()) challenge.issuer_domain_names.push_back(issuer.get<std::string>());
    challenge.account_uri = base::string_member(object, "accounturi").value_or("");
    if (const auto error = object.find("error"); error != object.end())
        challenge.error = parse_problem(base::to_text(*error));
    return challenge;
}

} // namespace

AuthorizationScope scope_of_order(std::vector<crypto::Identifier> identifiers)
{
    return {std::move(identifiers), true};
}

AuthorizationScope scope_of_name(std::string name)
{
    const auto* const type = dns::is_ip_literal(name) ? "ip" : "dns";
    return {{{type, std::move(name)}}, false};
}

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

Result<Authorization> parse_authorization(std::string_view json, std::string_view url,
                                          const AuthorizationScope& scope)
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
    if (!base::is_word(authorization.status))
        return fail(Errc::protocol, what + ": malformed \"status\"",
                    "the CA violates RFC 8555 section 7.1.4: report it to its operator", "badAuthorization");
    const auto member = object->find("identifier");
    const auto named = base::required_string(member == object->end() ? Json{} : *member, "value", what);
    if (!named) return broken(named.error());
    const auto identifier = read_identifier(*object);
    // RFC 8555 section 7.1.4: "The identifier that the account is authorized to represent." A solver acts on
    // it.
    if (!identifier || !fits({identifier->type, std::string{base_of(identifier->value)}}, scope)) {
        std::vector<std::string> asked;
        for (const auto& ordered : scope.identifiers)
            asked.push_back(ordered.value);
        return fail(Errc::protocol,
                    fmt::format("{} is for {} instead of {}", what, base::printable(*named, 100),
                                base::printable(base::join(asked, ", "), 300)),
                    "the authorization was not used; report it to the CA's operator",
                    Cause::other_identifier);
    }
    authorization.identifier = base_of(identifier->value);
    // The flag leads to records that authorize more, so it is only valid if a wildcard was ordered.
    authorization.wildcard =
        (base::bool_member(*object, "wildcard", false) || identifier->value.starts_with("*.")) &&
        has_wildcard_of(scope, authorization.identifier);
    authorization.subdomain_auth_allowed = base::bool_member(*object, "subdomainAuthAllowed", false);
    if (const auto text = base::string_member(*object, "expires"))
        if (const auto time = base::parse_rfc3339(*text)) authorization.expires = *time;
    if (const auto list = object->find("challenges"); list != object->end() && list->is_array())
        for (const auto& entry : *list)
            if (auto challenge = read_challenge(entry))
                authorization.challenges.push_back(std::move(*challenge));
    return authorization;
}

} // namespace acmetool::acme
