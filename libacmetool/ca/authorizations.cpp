#include "ca/service_impl.h"

#include <algorithm>

#include <fmt/core.h>

#include "base/text.h"
#include "crypto/digest.h"
#include "dns/name.h"
#include "jose/jwk.h"

namespace acmetool::ca
{

std::string Service::Impl::authz_status(const Json& object) const
{
    auto status = object.at("status").get<std::string>();
    if (status == "valid" && faults.value("authzExpired")) return "expired";
    if ((status == "valid" || status == "pending") && time_of(object, "expires") <= now()) return "expired";
    return status;
}

Json Service::Impl::show_authz(const std::string& id, const Json& object) const
{
    Json challenges = Json::array();
    if (!faults.value("emptyChallenges"))
        for (const auto& challenge : object.at("challenges")) {
            Json shown = challenge;
            shown["url"] = url(fmt::format("/challenge/{}/{}", id, challenge.at("type").get<std::string>()));
            challenges.push_back(std::move(shown));
        }
    Json shown{{"status", authz_status(object)},
               {"expires", object.at("expires")},
               {"identifier", {{"type", object.value("type", "dns")}, {"value", object.at("name")}}},
               {"challenges", std::move(challenges)}};
    if (base::bool_member(object, "wildcard", false)) shown["wildcard"] = true;
    const auto flag = faults.value("subdomainFlag");
    if (base::bool_member(object, "subdomains", false) && flag != "absent")
        shown["subdomainAuthAllowed"] = flag != "false";
    if (faults.value("otherIdentifier")) shown["identifier"]["value"] = "other.invalid";
    return shown;
}

Answer<std::string> Service::Impl::make_authz(const std::string& account,
                                              const crypto::Identifier& identifier, bool wildcard,
                                              bool subdomains)
{
    const auto token = Records::new_id() + Records::new_id();
    const bool is_dns = identifier.type == "dns";
    const auto status = faults.value("preauthorized") ? "valid" : "pending";
    Json challenges = Json::array();
    const auto offer = [&](const char* type, Json members) {
        members["type"] = type;
        members["status"] = status;
        challenges.push_back(std::move(members));
    };
    if (is_dns) offer("dns-01", {{"token", token}});
    if (is_dns && options.validation.dns_account) offer("dns-account-01", {{"token", token}});
    // One file or certificate at one host says nothing of the names below it.
    if (!wildcard && !subdomains) {
        offer("http-01", {{"token", token}});
        offer("tls-alpn-01", {{"token", token}});
    }
    const auto persist = options.validation.dns_persist;
    if (is_dns && persist != DnsPersist::off) {
        Json members = Json::object();
        if (persist != DnsPersist::hash) {
            members["issuer-domain-names"] = options.validation.issuer_domains;
            members["accounturi"] = url("/account/" + account);
        }
        if (persist != DnsPersist::url) members["issuerDomainNames"] = options.validation.issuer_domains;
        offer("dns-persist-01", std::move(members));
    }
    const Json object{
        {"account", account},
        {"type", identifier.type},
        {"name", identifier.value},
        {"status", status},
        {"expires", base::to_rfc3339(now() + std::min(options.authz_lifetime,
                                                      std::chrono::seconds{std::chrono::hours{24 * 7}}))},
        {"wildcard", wildcard},
        {"subdomains", subdomains},
        {"challenges", challenges}};
    const auto id = Records::new_id();
    CA_STORE(records.put("authz", id, account, identifier.value, object));
    return id;
}

Answer<std::string> Service::Impl::covering_authz(const std::string& account, const std::string& name,
                                                  bool wildcard)
{
    const auto dice = crypto::random_number<std::uint8_t>();
    const auto reuse = faults.value("authzReuse");
    if (reuse && dice * 100U / 256U >= faults.number("authzReuse")) return std::string{};
    // The name itself, then each of its ancestors that was authorized with its subdomains.
    for (std::string candidate = name;;) {
        auto found = records.find("authz", account, candidate);
        if (!found) return broken(found.error());
        for (const auto& [id, object] : *found) {
            const bool itself = candidate == name && base::bool_member(object, "wildcard", false) == wildcard;
            const bool subdomains = base::bool_member(object, "subdomains", false) && !wildcard &&
                                    options.subdomains != Subdomains::off;
            if (authz_status(object) == "valid" && (itself || subdomains)) return id;
        }
        const auto dot = candidate.find('.');
        if (dot == std::string::npos || dns::is_ip_literal(name)) return std::string{};
        candidate.erase(0, dot + 1);
    }
}

Answer<void> Service::Impl::authz_for(const std::string& account, const OrderIdentifier& identifier,
                                      const std::string& full, AuthzOfOrder& authorizations)
{
    const auto rejected = faults.value("rejectIdentifiers").value_or("");
    for (const auto refused : base::split(rejected, ','))
        if (refused == full)
            return refuse(403, "rejectedIdentifier", full + ": the fault rejectIdentifiers is on");
    const bool wildcard = full.starts_with("*.");
    const std::string name = wildcard ? full.substr(2) : full;
    CA_TRY(covering, covering_authz(account, name, wildcard));
    if (!covering.empty()) {
        authorizations.emplace(AuthzScope{full, false}, covering);
        return {};
    }
    AuthzScope scope{full, false};
    if (identifier.ancestor && !wildcard && identifier.type == "dns" &&
        options.subdomains != Subdomains::off) {
        CA_TRY(parent, checked_name({"dns", *identifier.ancestor, {}, false}, false));
        // RFC 9444 section 4.3: "This is an ancestor domain of the requested identifier."
        if (!dns::is_subdomain_of(name, parent))
            return refuse(400, "malformed", fmt::format("{} is no ancestor domain of {}", parent, name));
        scope = {parent, true};
    }
    if (authorizations.contains(scope)) return {};
    CA_TRY(made, make_authz(account, {identifier.type, scope.first.substr(wildcard ? 2 : 0)}, wildcard,
                            scope.second));
    authorizations.emplace(std::move(scope), made);
    return {};
}

Answer<ServerResponse> Service::Impl::new_authz(const SignedRequest& request, Json& log)
{
    const auto fault = faults.value("newAuthz").value_or("");
    if (!options.new_authz || fault == "404") return refuse(404, "malformed", "no such resource");
    if (fault == "405") return refuse(405, "malformed", "method not allowed");
    if (fault == "403") return refuse(403, "unauthorized", "policy forbids pre-authorization");
    if (request.as_get || !request.payload.contains("identifier"))
        return refuse(400, "malformed", "newAuthz takes an identifier");
    if (const auto agreed = require_agreement(request.account); !agreed)
        return tl::unexpected(agreed.error());
    CA_TRY(identifier, parse_identifier(request.payload["identifier"]));
    CA_TRY(name, checked_name(identifier, false));
    log["identifiers"] = Json::array({name});
    const bool subdomains =
        identifier.subdomains && identifier.type == "dns" && options.subdomains == Subdomains::on;
    auto known = records.find("authz", request.account, name);
    if (!known) return broken(known.error());
    for (const auto& [id, object] : *known) {
        const bool same = base::bool_member(object, "subdomains", false) == subdomains &&
                          !base::bool_member(object, "wildcard", false);
        // One that is past half of its life is not given again: whoever asks wants to renew it.
        const bool fresh = time_of(object, "expires") - now() > options.authz_lifetime / 2;
        const auto status = authz_status(object);
        if (same && ((status == "valid" && fresh) || status == "pending"))
            return reply(status == "valid" ? 200 : 201, show_authz(id, object), url("/authz/" + id));
    }
    CA_TRY(id, make_authz(request.account, {identifier.type, name}, false, subdomains));
    CA_TRY(object, owned("authz", id, request.account));
    return reply(201, show_authz(id, object), url("/authz/" + id));
}

Answer<ServerResponse> Service::Impl::authz(const SignedRequest& request, const std::string& id)
{
    CA_TRY(object, owned("authz", id, request.account));
    if (!request.as_get) {
        if (base::string_member(request.payload, "status") != "deactivated")
            return refuse(400, "malformed", "an authorization can only be deactivated");
        // RFC 8555 section 7.1.6: the other states are final.
        if (const auto status = authz_status(object); status != "valid" && status != "pending")
            return refuse(400, "malformed", "the authorization is " + status + " already");
        object["status"] = "deactivated";
        CA_STORE(records.put("authz", id, request.account, object["name"].get<std::string>(), object));
    }
    auto response = reply(200, show_authz(id, object));
    if (const auto wait = faults.value("retryAfter");
        wait && wait != "none" && authz_status(object) == "pending")
        response.headers.emplace_back("Retry-After", *wait);
    return response;
}

Answer<Json> Service::Impl::accepted_uris(const std::string& account, const std::string& name)
{
    auto known = records.find("authz", account, name);
    if (!known) return broken(known.error());
    Json uris = Json::array();
    for (const auto& [id, object] : *known)
        if (const auto uri = base::string_member(object, "accountUri")) uris.push_back(*uri);
    return uris;
}

Answer<void> Service::Impl::forget_uris(const std::string& account)
{
    auto known = records.find("authz", account, "");
    if (!known) return broken(known.error());
    for (auto& [id, object] : *known) {
        if (object.erase("accountUri") == 0) continue;
        CA_STORE(records.put("authz", id, account, object["name"].get<std::string>(), object));
    }
    return {};
}

Answer<ServerResponse> Service::Impl::challenge(const SignedRequest& request, const std::string& id,
                                                const std::string& type)
{
    CA_TRY(object, owned("authz", id, request.account));
    for (auto& challenge : object["challenges"]) {
        if (challenge["type"] != type) continue;
        if (!request.as_get && authz_status(object) == "pending" && challenge["status"] == "pending") {
            challenge["status"] = "processing";
            const auto thumbprint = jose::thumbprint(request.key);
            if (!thumbprint) return broken(thumbprint.error());
            object["thumbprint"] = *thumbprint;
            CA_STORE(records.put("authz", id, request.account, object["name"].get<std::string>(), object));
            Json asked = object;
            if (type == "dns-persist-01") {
                CA_TRY(accepted, accepted_uris(request.account, object["name"].get<std::string>()));
                asked["acceptedUris"] = std::move(accepted);
            }
            asked_for.push_back({id, type, std::move(asked)});
        }
        Json shown = challenge;
        shown["url"] = url(fmt::format("/challenge/{}/{}", id, type));
        auto response = reply(200, shown);
        response.headers.emplace_back("Link", fmt::format("<{}>;rel=\"up\"", url("/authz/" + id)));
        return response;
    }
    return refuse(404, "malformed", "no such challenge");
}

} // namespace acmetool::ca
