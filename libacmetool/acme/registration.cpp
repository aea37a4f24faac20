#include "acme/registration.h"

#include <algorithm>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "base/word.h"
#include "jose/jwk.h"
#include "jose/mac.h"

namespace acmetool::acme
{
namespace
{

using base::Json;

Result<AccountStatus> parse_status(const Reply& reply, const std::string& url)
{
    auto object = base::parse_json_object(reply.body, "account");
    if (!object) {
        object.error().code = Errc::protocol;
        return fail(std::move(object).error());
    }
    AccountStatus status;
    status.url = url;
    status.created = reply.status == 201;
    status.status = base::string_member(*object, "status").value_or("valid");
    if (!base::is_word(status.status))
        return fail(Errc::protocol, "account: malformed \"status\"",
                    "the CA violates RFC 8555 section 7.1.2: report it to its operator", "badAccount");
    if (const auto list = object->find("contact"); list != object->end() && list->is_array())
        for (const auto& entry : *list)
            if (entry.is_string()) status.contact.push_back(entry.get<std::string>());
    return status;
}

/// The contacts in a form for comparison: sorted, in lower case, without duplicates.
std::vector<std::string> compared(const std::vector<std::string>& contact)
{
    std::vector<std::string> list;
    list.reserve(contact.size());
    for (const auto& url : contact)
        list.push_back(base::to_lower(url));
    std::sort(list.begin(), list.end());
    list.erase(std::unique(list.begin(), list.end()), list.end());
    return list;
}

/// The error for a server that answers 200 but changes nothing.
tl::unexpected<Error> not_changed(std::string message)
{
    return fail(Errc::protocol, std::move(message),
                "the CA accepted the request but did not change the account (some CAs store no contacts): "
                "acme-account show "
                "prints the account",
                "accountNotChanged");
}

/// newAccount with `payload`; the client then uses the account that it returns.
Result<AccountStatus> new_account(Client& client, const Json& payload)
{
    Post post{Step::new_account, {}, client.directory().new_account, payload.dump()};
    post.by_jwk = true;
    ACMETOOL_TRY(reply, client.post(std::move(post)));
    if (reply.location.empty())
        return fail(Errc::protocol, "newAccount: the reply has no Location header of this CA",
                    "the CA violates RFC 8555 section 7.3: report it to its operator", "noLocation");
    client.set_account_url(reply.location);
    ACMETOOL_TRY(status, parse_status(reply, reply.location));
    if (status.status != "valid")
        return fail(Errc::refused, fmt::format("newAccount: the account of this key is {}", status.status),
                    "register with another key: choose another --key or another --account",
                    "accountNotValid");
    return status;
}

/// True if the CA refused to look for the account, so that it may still accept a new one.
bool is_refusal(const Error& error)
{
    return error.code == Errc::refused && !error.problem_type.empty();
}

Result<AccountStatus> change(Client& client, const std::string& payload)
{
    ACMETOOL_TRY(reply, client.post(Post{Step::account, {}, client.account_url(), payload}));
    return parse_status(reply, client.account_url());
}

} // namespace

Result<AccountStatus> register_account(Client& client, const Registration& registration)
{
    const auto& directory = client.directory();
    if (!registration.only_existing && !registration.agree_tos && !directory.terms_of_service.empty())
        return fail(Errc::refused,
                    fmt::format("newAccount: the CA requires agreement to its terms of service: {}",
                                base::printable(directory.terms_of_service)),
                    "read them, then run the command again with --agree-tos", "termsOfService");
    const bool binds = !registration.external.kid.empty() && !registration.only_existing;
    if (!registration.only_existing && directory.external_account_required && !binds)
        return fail(Errc::refused, "newAccount: this CA requires an external account binding",
                    "give the key identifier and the MAC key from the CA's web site with --eab-kid and "
                    "--eab-key-file",
                    "externalAccountRequired");
    if (binds) {
        // Most CAs accept a binding only once, also from the account that it was used for.
        auto known = new_account(client, {{"onlyReturnExisting", true}});
        if (known || !is_refusal(known.error())) return known;
    }
    Json payload = Json::object();
    if (registration.only_existing) payload["onlyReturnExisting"] = true;
    if (registration.agree_tos) payload["termsOfServiceAgreed"] = true;
    if (!registration.contact.empty() && !registration.only_existing)
        payload["contact"] = registration.contact;
    if (binds) {
        // RFC 8555 section 7.3.4: the payload is the account's public key; "kid" and "url" are in the header.
        ACMETOOL_TRY(jwk, jose::to_jwk(client.key()));
        ACMETOOL_TRY(binding,
                     jose::sign_with_mac(registration.external.mac_key,
                                         {{"kid", registration.external.kid}, {"url", directory.new_account}},
                                         jwk.dump()));
        payload["externalAccountBinding"] = Json::parse(binding);
    }
    return new_account(client, payload);
}

Result<AccountStatus> fetch_account(Client& client)
{
    return change(client, "");
}

Result<AccountStatus> update_account(Client& client, const std::vector<std::string>& contact)
{
    ACMETOOL_TRY(status, change(client, Json{{"contact", contact}}.dump()));
    if (compared(status.contact) == compared(contact)) return status;
    return not_changed(fmt::format(
        "account: the contacts are {} after the update",
        status.contact.empty() ? "none" : base::printable(base::join(status.contact, ", "), 300)));
}

Result<AccountStatus> deactivate_account(Client& client)
{
    ACMETOOL_TRY(status, change(client, R"({"status":"deactivated"})"));
    if (status.status == "deactivated") return status;
    return not_changed(fmt::format("account: still {} after the deactivation", status.status));
}

} // namespace acmetool::acme
