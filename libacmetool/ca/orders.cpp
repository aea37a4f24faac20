#include "ca/service_impl.h"

#include <algorithm>
#include <set>

#include <fmt/core.h>

#include "base/text.h"
#include "jose/base64url.h"

namespace acmetool::ca
{
namespace
{

constexpr std::size_t kMostIdentifiers = 100;

} // namespace

Answer<std::string> Service::Impl::order_status(Json& object)
{
    const auto status = object.at("status").get<std::string>();
    if (status == "processing" && time_of(object, "ready") <= now())
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
    if (status == "valid")
        shown["certificate"] = url("/certificate/" + object["certificate"].get<std::string>());
    if (status == "invalid" && object.contains("error")) shown["error"] = object["error"];
    return shown;
}

Answer<ServerResponse> Service::Impl::new_order(const SignedRequest& request, Json& log)
{
    const auto identifiers = request.payload.find("identifiers");
    if (request.as_get || identifiers == request.payload.end() || !identifiers->is_array() ||
        identifiers->empty() || identifiers->size() > kMostIdentifiers)
        return refuse(400, "malformed", "newOrder takes 1 to 100 identifiers");
    Json names = Json::array();
    Json subproblems = Json::array();
    std::set<std::string> authorizations;
    for (const auto& identifier : *identifiers) {
        const auto name = base::printable(base::string_member(identifier, "value").value_or(""), 255);
        const auto found = authz_for(request.account, identifier);
        if (!found) {
            auto problem = problem_of(found.error());
            problem["identifier"] = {{"type", "dns"}, {"value", name}};
            subproblems.push_back(std::move(problem));
            continue;
        }
        authorizations.insert(*found);
        names.push_back({{"type", "dns"}, {"value", base::to_lower(name)}});
    }
    log["identifiers"] = names;
    if (!subproblems.empty()) {
        auto refusal = refuse(400,
                              subproblems.size() == 1
                                  ? base::string_member(subproblems[0], "type").value_or("").substr(27)
                                  : "compound",
                              "some identifiers were refused");
        refusal.value().subproblems = std::move(subproblems);
        return refusal;
    }
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    Json object{{"account", request.account},
                {"status", "pending"},
                {"expires", base::to_rfc3339(now() + options.order_lifetime)},
                {"identifiers", names},
                {"authorizations", authorizations}};
    const auto id = Records::new_id();
    CA_STORE(records.put("order", id, request.account, "", object));
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
    const auto chain = authority.issue(key, identifiers, now(), options.certificate_lifetime);
    if (!chain) return broken(chain.error());
    const auto id = Records::new_id();
    const Json object{{"account", account},
                      {"serial", chain->front().serial()},
                      {"identifiers", order.at("identifiers")},
                      {"notAfter", base::to_rfc3339(chain->front().not_after())},
                      {"chain", crypto::to_pem(*chain)}};
    CA_STORE(records.put("certificate", id, account, chain->front().serial(), object));
    return id;
}

Answer<ServerResponse> Service::Impl::finalize(const SignedRequest& request, const std::string& id, Json& log)
{
    CA_TRY(object, owned("order", id, request.account));
    log["identifiers"] = object["identifiers"];
    CA_TRY(status, order_status(object));
    if (status != "ready" || faults.count_down("orderNotReady"))
        return refuse(403, "orderNotReady",
                      fmt::format("the order is {}", status == "ready" ? "not ready" : status));
    const auto der = jose::parse_base64url(base::string_member(request.payload, "csr").value_or(""));
    if (!der || der->empty()) return refuse(400, "malformed", "\"csr\" is not base64url");
    const auto csr = crypto::parse_csr(as_text(*der));
    if (!csr) return refuse(400, "badCSR", csr.error().message);
    const auto names = crypto::require_identifiers(*csr);
    if (!names) return refuse(400, "badCSR", names.error().message);
    Json asked = Json::array();
    for (const auto& name : *names)
        asked.push_back({{"type", name.type}, {"value", name.value}});
    std::sort(asked.begin(), asked.end());
    // RFC 8555 section 7.4: "The CSR MUST indicate the exact same set of requested identifiers as the initial
    // newOrder request."
    if (asked != object["identifiers"])
        return refuse(400, "badCSR", "the CSR's names are not those of the order");
    const auto type = csr->key.type();
    if (type == "other" || (type.starts_with("rsa:") && type < "rsa:2048" && type.size() == 8) ||
        type == "rsa:1024" || type == "rsa:512")
        return refuse(400, "badCSR", fmt::format("keys of type {} are not certified", type));
    if (csr->key.same_public_key(request.key))
        return refuse(400, "badCSR", "the CSR's key is the account's key");
    if (faults.count_down("orderInvalid")) {
        object["status"] = "invalid";
        auto refusal = Refusal{403, "unauthorized", "the fault orderInvalid is on"};
        for (const auto& name : asked) {
            Json sub = problem_of({403, "caa", "CAA forbids issuance"});
            sub["identifier"] = name;
            refusal.subproblems.push_back(std::move(sub));
        }
        object["error"] = problem_of(refusal);
    } else {
        CA_TRY(certificate, issue(request.account, *csr, object));
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
    if (shown["status"] == "processing")
        if (const auto wait = faults.value("retryAfter").value_or("1"); wait != "none")
            response.headers.emplace_back("Retry-After", wait);
    return response;
}

} // namespace acmetool::ca
