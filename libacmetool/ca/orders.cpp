#include "ca/service_impl.h"

#include <algorithm>
#include <set>

#include <fmt/core.h>

#include "base/text.h"
#include "jose/jwk.h"

namespace acmetool::ca
{

Answer<std::string> Service::Impl::order_status(Json& object)
{
    const auto status = object.at("status").get<std::string>();
    if (status == "processing" && object.contains("ready") && time_of(object, "ready") <= now())
        return std::string{object.contains("error") ? "invalid" : "valid"};
    if (status != "pending") return status;
    if (time_of(object, "expires") <= now()) return std::string{"invalid"};
    bool all = true;
    for (const auto& id : object.at("authorizations")) {
        CA_TRY(authorization, owned("authz", id.get<std::string>(), object.at("account").get<std::string>()));
        const auto seen = authz_status(authorization);
        if (seen != "valid" && seen != "pending") return std::string{"invalid"};
        all = all && seen == "valid";
    }
    return std::string{all ? "ready" : "pending"};
}

Answer<Json> Service::Impl::show_order(const std::string& id, Json object)
{
    CA_TRY(status, order_status(object));
    Json authorizations = Json::array();
    for (const auto& authorization : object["authorizations"])
        authorizations.push_back(url("/authz/" + authorization.get<std::string>()));
    if (faults.value("reorderAuthz")) std::reverse(authorizations.begin(), authorizations.end());
    Json shown{{"status", status},
               {"expires", object["expires"]},
               {"identifiers", object["identifiers"]},
               {"authorizations", std::move(authorizations)},
               {"finalize", url(fmt::format("/order/{}/finalize", id))}};
    for (const auto* member : {"profile", "replaces", "notBefore", "notAfter"})
        if (object.contains(member)) shown[member] = object[member];
    if (const auto word = faults.value("unknownStatus")) shown["status"] = *word;
    if (status == "valid")
        shown["certificate"] = url("/certificate/" + object["certificate"].get<std::string>());
    if (status == "invalid" && object.contains("error")) shown["error"] = object["error"];
    return shown;
}

Answer<void> Service::Impl::count_order(const std::string& account)
{
    if (options.rate_limit.orders == 0) return {};
    const auto since = now() - options.rate_limit.period;
    for (auto entry = recent_orders.begin(); entry != recent_orders.end();) {
        auto& old = entry->second;
        while (!old.empty() && old.front() <= since)
            old.pop_front();
        entry = old.empty() ? recent_orders.erase(entry) : std::next(entry);
    }
    auto& times = recent_orders[account];
    if (times.size() < options.rate_limit.orders) {
        times.push_back(now());
        return {};
    }
    auto refusal = refuse(429, "rateLimited",
                          fmt::format("more than {} orders of this account in {}", options.rate_limit.orders,
                                      base::describe(options.rate_limit.period)));
    refusal.value().retry_after = std::to_string((times.front() + options.rate_limit.period - now()).count());
    return refusal;
}

Answer<const CertificateProfile*> Service::Impl::profile_of(const std::string& name) const
{
    if (options.profiles.empty() && name.empty()) return nullptr;
    for (const auto& profile : options.profiles)
        if (name.empty() || profile.name == name) return &profile;
    return refuse(400, "invalidProfile",
                  fmt::format("there is no profile \"{}\"", base::printable(name, 60)));
}

Answer<void> Service::Impl::check_replaced(const NewOrder& order, const std::string& account,
                                           const Json& names)
{
    if (order.replaces.empty()) return {};
    CA_TRY(found, find_certificate(order.replaces));
    auto& [id, certificate] = found;
    // RFC 9773 section 5: the same account, an identifier in common, and no other order that replaces it.
    if (certificate.at("account") != account)
        return refuse(403, "unauthorized", "\"replaces\" names another account's certificate");
    const auto& old = certificate.at("identifiers");
    if (std::none_of(names.begin(), names.end(),
                     [&](const Json& name) { return std::find(old.begin(), old.end(), name) != old.end(); }))
        return refuse(400, "malformed", "\"replaces\" names a certificate for other identifiers");
    auto replaced = certificate.contains("replacedBy") || faults.count_down("alreadyReplaced");
    if (certificate.contains("replacedBy")) {
        CA_TRY(other, owned("order", certificate["replacedBy"].get<std::string>(), account));
        CA_TRY(status, order_status(other));
        replaced = status != "invalid";
    }
    if (replaced) return refuse(409, "alreadyReplaced", "another order replaces that certificate");
    return {};
}

Answer<ServerResponse> Service::Impl::new_order(const SignedRequest& request, Json& log)
{
    CA_TRY(wanted, parse_new_order(request.payload));
    if (const auto agreed = require_agreement(request.account); !agreed)
        return tl::unexpected(agreed.error());
    if (const auto counted = count_order(request.account); !counted) return tl::unexpected(counted.error());
    CA_TRY(profile, profile_of(wanted.profile));
    Json names = Json::array();
    Json subproblems = Json::array();
    std::string first_type;
    AuthzOfOrder authorizations;
    for (const auto& identifier : wanted.identifiers) {
        const auto name = checked_name(identifier, true);
        Json one{{"type", identifier.type}, {"value", name.value_or("")}};
        // A name that is given twice, perhaps in another case, is one identifier.
        if (name && std::find(names.begin(), names.end(), one) != names.end()) continue;
        const auto found = name ? authz_for(request.account, identifier, *name, authorizations)
                                : Answer<void>{tl::unexpected(name.error())};
        if (!found) {
            auto problem = problem_of(found.error());
            if (subproblems.empty()) first_type = found.error().type;
            problem["identifier"] = {{"type", base::printable(identifier.type, 60)},
                                     {"value", base::printable(identifier.value, 255)}};
            subproblems.push_back(std::move(problem));
            continue;
        }
        names.push_back(std::move(one));
    }
    log["identifiers"] = names;
    if (!subproblems.empty()) {
        auto refusal =
            refuse(400, subproblems.size() == 1 ? first_type : "compound", "some identifiers were refused");
        refusal.value().subproblems = std::move(subproblems);
        return refusal;
    }
    std::sort(names.begin(), names.end());
    std::set<std::string> authz_ids;
    for (const auto& [covered, id] : authorizations)
        authz_ids.insert(id);
    if (const auto free = check_replaced(wanted, request.account, names); !free)
        return tl::unexpected(free.error());
    Json object{{"account", request.account},
                {"status", "pending"},
                {"expires", base::to_rfc3339(now() + options.order_lifetime)},
                {"identifiers", names},
                {"authorizations", authz_ids}};
    const auto lifetime = profile != nullptr ? profile->lifetime : options.certificate_lifetime;
    if (profile != nullptr) object["profile"] = profile->name;
    if (wanted.not_before) object["notBefore"] = base::to_rfc3339(*wanted.not_before);
    if (wanted.not_after) object["notAfter"] = base::to_rfc3339(*wanted.not_after);
    const auto start = wanted.not_before.value_or(now());
    if (wanted.not_after && (*wanted.not_after <= now() || *wanted.not_after - start > lifetime))
        return refuse(400, "malformed",
                      fmt::format("certificates last {} at most", base::describe(lifetime)));
    if (!wanted.replaces.empty()) object["replaces"] = wanted.replaces;
    const auto id = Records::new_id();
    CA_STORE(records.put("order", id, request.account, "", object));
    if (!wanted.replaces.empty()) {
        CA_TRY(replaced, find_certificate(wanted.replaces));
        replaced.second["replacedBy"] = id;
        CA_STORE(records.put("certificate", replaced.first, request.account,
                             replaced.second["serial"].get<std::string>(), replaced.second));
    }
    CA_TRY(shown, show_order(id, object));
    return reply(201, shown, url("/order/" + id));
}

Answer<ServerResponse> Service::Impl::order(const SignedRequest& request, const std::string& id)
{
    CA_TRY(object, owned("order", id, request.account));
    CA_TRY(shown, show_order(id, object));
    auto response = reply(200, shown, url("/order/" + id));
    if (const auto wait = faults.value("retryAfter");
        wait && wait != "none" && shown["status"] == "processing")
        response.headers.emplace_back("Retry-After", *wait);
    return response;
}

Answer<std::string> Service::Impl::issue(const std::string& account, const crypto::Csr& csr,
                                         const Json& order)
{
    auto identifiers = csr.identifiers;
    crypto::Key key = csr.key;
    const auto fault = faults.value("certificate").value_or("");
    if (fault == "wrongsan") identifiers.push_back({"dns", "more.invalid"});
    if (fault == "wrongkey") {
        auto other = crypto::generate_key("ec:P-256");
        if (!other) return broken(other.error());
        key = *other;
    }
    CA_TRY(profile, profile_of(base::string_member(order, "profile").value_or("")));
    Issuance issuance;
    issuance.identifiers = identifiers;
    issuance.not_before =
        order.contains("notBefore") ? time_of(order, "notBefore") : now() - std::chrono::minutes{1};
    const auto lifetime = profile != nullptr ? profile->lifetime : options.certificate_lifetime;
    issuance.not_after = order.contains("notAfter")    ? time_of(order, "notAfter")
                         : order.contains("notBefore") ? issuance.not_before + lifetime
                                                       : now() + lifetime;
    if (profile != nullptr) issuance.purposes = profile->purposes;
    const auto chain = authority.issue(key, issuance);
    if (!chain) return broken(chain.error());
    const auto id = Records::new_id();
    const Json object{{"account", account},
                      {"serial", chain->front().serial()},
                      {"identifiers", order.at("identifiers")},
                      {"notBefore", base::to_rfc3339(chain->front().not_before())},
                      {"notAfter", base::to_rfc3339(chain->front().not_after())},
                      {"chain", crypto::to_pem(*chain)}};
    CA_STORE(records.put("certificate", id, account, chain->front().serial(), object));
    return id;
}

Answer<void> Service::Impl::check_key_is_free(const crypto::Key& key, const std::string& account)
{
    const auto thumbprint = jose::thumbprint(key);
    if (!thumbprint) return {}; // of no type that accounts have
    const auto found = records.find("account", "", *thumbprint);
    if (!found) return broken(found.error());
    if (found->empty()) return {};
    return refuse(400, "badCSR",
                  found->front().first == account ? "the CSR's key is the account's key"
                                                  : "the CSR's key is the key of another account");
}

Answer<ServerResponse> Service::Impl::finalize(const SignedRequest& request, const std::string& id, Json& log)
{
    CA_TRY(object, owned("order", id, request.account));
    log["identifiers"] = object["identifiers"];
    CA_TRY(status, order_status(object));
    if (status != "ready" || faults.count_down("orderNotReady"))
        return refuse(403, "orderNotReady",
                      fmt::format("the order is {}", status == "ready" ? "not ready" : status));
    CA_TRY(csr, *request.csr);
    Json asked = Json::array();
    for (const auto& name : csr.identifiers)
        asked.push_back({{"type", name.type}, {"value", name.value}});
    std::sort(asked.begin(), asked.end());
    // RFC 8555 section 7.4: "The CSR MUST indicate the exact same set of requested identifiers as the initial
    // newOrder request."
    if (asked != object["identifiers"])
        return refuse(400, "badCSR", "the CSR's names are not those of the order");
    if (const auto free = check_key_is_free(csr.key, request.account); !free)
        return tl::unexpected(free.error());
    if (faults.count_down("orderInvalid")) {
        object["status"] = "invalid";
        auto refusal = Refusal{403, "unauthorized", "the fault orderInvalid is on"};
        for (const auto& name : asked) {
            Json sub = problem_of({403, "caa", "CAA forbids issuance"});
            sub["identifier"] = name;
            refusal.subproblems.push_back(std::move(sub));
        }
        object["error"] = problem_of(refusal);
    } else if (options.validation.caa) {
        if (const auto asked_caa = check_caa_first(id, object, csr); !asked_caa)
            return tl::unexpected(asked_caa.error());
    } else {
        CA_TRY(certificate, issue(request.account, csr, object));
        object["certificate"] = certificate;
        object["status"] = "valid";
        if (const auto seconds = faults.number("processing"); seconds > 0) {
            object["status"] = "processing";
            object["ready"] = base::to_rfc3339(now() + std::chrono::seconds{seconds});
        }
    }
    CA_STORE(records.put("order", id, request.account, "", object));
    CA_TRY(shown, show_order(id, object));
    log["order"] = shown["status"];
    auto response = reply(200, shown, url("/order/" + id));
    if (shown["status"] == "processing" && object.contains("ready"))
        if (const auto wait = faults.value("retryAfter").value_or("1"); wait != "none")
            response.headers.emplace_back("Retry-After", wait);
    return response;
}

} // namespace acmetool::ca
