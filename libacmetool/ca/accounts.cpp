#include "ca/service_impl.h"

#include <fmt/core.h>

#include "jose/jwk.h"

namespace acmetool::ca
{
namespace
{

constexpr std::size_t kOrdersPerPage = 100;

Answer<Json> checked_contact(const Json& contact)
{
    if (!contact.is_array()) return refuse(400, "malformed", "\"contact\" is no array");
    for (const auto& entry : contact)
        if (!entry.is_string() || !entry.get<std::string>().starts_with("mailto:"))
            return refuse(400, "unsupportedContact", "contacts are mailto: URLs");
    return contact;
}

} // namespace

Answer<ServerResponse> Service::Impl::new_account(const SignedRequest& request)
{
    const auto thumbprint = jose::thumbprint(request.key);
    if (!thumbprint) return refuse(400, "badPublicKey", thumbprint.error().message);
    auto known = records.find("account", "", *thumbprint);
    if (!known) return broken(known.error());
    const auto show = [&](int status, const std::string& id, Json object) {
        object.erase("jwk");
        if (!faults.value("noOrdersList")) object["orders"] = url(fmt::format("/account/{}/orders", id));
        return reply(status, object, url("/account/" + id));
    };
    if (!known->empty()) {
        if (known->front().second["status"] != "valid")
            return refuse(401, "unauthorized", "the account is deactivated");
        return show(200, known->front().first, known->front().second);
    }
    if (base::bool_member(request.payload, "onlyReturnExisting", false))
        return refuse(400, "accountDoesNotExist", "no account has this key");
    if (!options.terms_of_service.empty() &&
        !base::bool_member(request.payload, "termsOfServiceAgreed", false))
        return refuse(403, "userActionRequired", "the terms of service have to be agreed to");
    Json object{{"status", "valid"}, {"contact", Json::array()}};
    if (const auto contact = request.payload.find("contact"); contact != request.payload.end()) {
        CA_TRY(checked, checked_contact(*contact));
        object["contact"] = checked;
    }
    const auto jwk = jose::to_jwk(request.key);
    if (!jwk) return refuse(400, "badPublicKey", jwk.error().message);
    object["jwk"] = *jwk;
    const auto id = Records::new_id();
    CA_STORE(records.put("account", id, id, *thumbprint, object));
    return show(201, id, object);
}

Answer<ServerResponse> Service::Impl::account(const SignedRequest& request, const std::string& id)
{
    if (id != request.account) return refuse(403, "unauthorized", "that is another account");
    CA_TRY(object, owned("account", id, id));
    if (!request.as_get) {
        if (base::string_member(request.payload, "status") == "deactivated") object["status"] = "deactivated";
        if (const auto contact = request.payload.find("contact"); contact != request.payload.end()) {
            CA_TRY(checked, checked_contact(*contact));
            object["contact"] = checked;
        }
        const auto thumbprint = jose::thumbprint(request.key);
        if (!thumbprint) return broken(thumbprint.error());
        CA_STORE(records.put("account", id, id, *thumbprint, object));
    }
    Json shown = object;
    shown.erase("jwk");
    if (!faults.value("noOrdersList")) shown["orders"] = url(fmt::format("/account/{}/orders", id));
    return reply(200, shown);
}

Answer<ServerResponse> Service::Impl::orders(const SignedRequest& request, const std::string& id,
                                             std::size_t from)
{
    if (id != request.account) return refuse(403, "unauthorized", "that is another account");
    auto found = records.find("order", id, "");
    if (!found) return broken(found.error());
    Json list = Json::array();
    const std::size_t page =
        faults.number("ordersPerPage") > 0 ? faults.number("ordersPerPage") : kOrdersPerPage;
    for (std::size_t i = from; i < found->size() && list.size() < page; ++i)
        list.push_back(url("/order/" + (*found)[i].first));
    auto response = reply(200, {{"orders", list}});
    if (from + list.size() < found->size())
        response.headers.emplace_back("Link", fmt::format("<{}?from={}>;rel=\"next\"",
                                                          url(fmt::format("/account/{}/orders", id)),
                                                          from + list.size()));
    return response;
}

} // namespace acmetool::ca
