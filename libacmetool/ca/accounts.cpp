#include "ca/service_impl.h"

#include <algorithm>
#include <filesystem>

#include <fmt/core.h>

#include "base/base64url.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "http/text_response.h"
#include "jose/jwk.h"
#include "jose/mac.h"
#include "store/atomic_file.h"

namespace acmetool::ca
{
namespace
{

constexpr std::size_t kOrdersPerPage = 100;

/// The octets of the key `kid`; nothing where there is none.
Result<std::optional<base::Secret>> find_binding_key(const std::string& file, const std::string& kid)
{
    ACMETOOL_TRY(text, store::read_file(file));
    const base::Secret secret{std::move(text)};
    for (const auto line : base::split(base::without_byte_order_mark(secret.reveal()), '\n')) {
        const auto blank = line.find(' ');
        if (blank == std::string_view::npos || line.substr(0, blank) != kid) continue;
        ACMETOOL_TRY(octets, base::parse_base64url(base::trim(line.substr(blank + 1))));
        return std::optional<base::Secret>{base::Secret{std::string{as_text(octets)}}};
    }
    return std::optional<base::Secret>{};
}

} // namespace

Result<BindingKey> add_binding_key(const std::string& file, std::string kid)
{
    if (kid.empty()) kid = Records::new_id();
    if (kid.find_first_of(" \t\r\n") != std::string::npos || kid.size() > 255)
        return fail(Errc::usage, "a key identifier has no blanks, and 255 octets at most");
    std::string text;
    if (std::error_code none; std::filesystem::exists(file, none)) {
        ACMETOOL_TRY(known, find_binding_key(file, kid));
        if (known) return fail(Errc::usage, fmt::format("{}: a key \"{}\" is there already", file, kid));
        ACMETOOL_TRY(read, store::read_file(file));
        text = std::move(read);
    }
    BindingKey made{std::move(kid), base::to_base64url(crypto::random_bytes(32))};
    if (!text.empty() && !text.ends_with('\n')) text += '\n';
    const base::Secret secret{fmt::format("{}{} {}\n", text, made.kid, made.key)};
    ACMETOOL_CHECK(store::write_atomically(file, secret.reveal(), 0600));
    return made;
}

Json Service::Impl::show_account(const std::string& id, Json object) const
{
    object.erase("jwk");
    object.erase("terms");
    if (!faults.value("noOrdersList")) object["orders"] = url(fmt::format("/account/{}/orders", id));
    return object;
}

Answer<void> Service::Impl::check_binding(const AccountRequest& request, const crypto::Key& key,
                                          const std::string& url_of_request)
{
    if (options.external_binding == ExternalBinding::off) return {};
    if (!request.external_binding) {
        if (options.external_binding == ExternalBinding::optional) return {};
        return refuse(403, "externalAccountRequired", "new accounts need an external account binding");
    }
    const auto jws = jose::parse_jws(base::to_text(*request.external_binding));
    if (!jws) return refuse(400, "malformed", "externalAccountBinding: " + jws.error().message);
    const Json& header = *jws->header;
    const auto kid = base::string_member(header, "kid").value_or("");
    // RFC 8555 section 7.3.4: "The "nonce" field MUST NOT be present"; "The "url" field MUST be set to the
    // same value as the outer JWS".
    if (header.contains("nonce") || base::string_member(header, "url") != url_of_request)
        return refuse(400, "malformed", "externalAccountBinding: a nonce, or another URL than the request's");
    const auto bound = base::parse_json_object(as_text(jws->payload), "externalAccountBinding");
    const auto bound_key =
        bound ? jose::parse_jwk(*bound) : Result<crypto::Key>{tl::unexpected<Error>{bound.error()}};
    if (!bound_key || !bound_key->same_public_key(key))
        return refuse(400, "malformed", "externalAccountBinding: its payload is not the account's key");
    const auto secret = find_binding_key(options.eab_keys_file, kid);
    if (!secret) return broken(secret.error());
    if (!*secret || !jose::verify_mac(*jws, **secret))
        return refuse(403, "unauthorized", "externalAccountBinding: unknown key identifier, or a wrong MAC");
    return {};
}

Answer<ServerResponse> Service::Impl::new_account(const SignedRequest& request)
{
    CA_TRY(wanted, parse_account_request(request.payload));
    const auto thumbprint = jose::thumbprint(request.key);
    if (!thumbprint) return refuse(400, "badPublicKey", thumbprint.error().message);
    auto known = records.find("account", "", *thumbprint);
    if (!known) return broken(known.error());
    if (!known->empty()) {
        auto& [id, object] = known->front();
        if (object["status"] != "valid") return refuse(401, "unauthorized", "the account is deactivated");
        if (wanted.terms_agreed && base::string_member(object, "terms") != terms()) {
            object["terms"] = terms();
            CA_STORE(records.put("account", id, id, *thumbprint, object));
        }
        return reply(200, show_account(id, object), url("/account/" + id));
    }
    if (wanted.only_return_existing) return refuse(400, "accountDoesNotExist", "no account has this key");
    if (!terms().empty() && !wanted.terms_agreed)
        return refuse(403, "userActionRequired", "the terms of service have to be agreed to");
    if (const auto bound = check_binding(wanted, request.key, url("/newAccount")); !bound)
        return tl::unexpected(bound.error());
    Json object{{"status", "valid"}, {"contact", wanted.contact.value_or(Json::array())}, {"terms", terms()}};
    if (wanted.external_binding && options.external_binding != ExternalBinding::off)
        object["externalAccountBinding"] = *wanted.external_binding;
    const auto jwk = jose::to_jwk(request.key);
    if (!jwk) return refuse(400, "badPublicKey", jwk.error().message);
    object["jwk"] = *jwk;
    const auto id = Records::new_id();
    CA_STORE(records.put("account", id, id, *thumbprint, object));
    return reply(201, show_account(id, object), url("/account/" + id));
}

Answer<ServerResponse> Service::Impl::account(const SignedRequest& request, const std::string& id)
{
    if (id != request.account) return refuse(403, "unauthorized", "that is another account");
    CA_TRY(object, owned("account", id, id));
    if (!request.as_get) {
        CA_TRY(wanted, parse_account_request(request.payload));
        if (wanted.deactivate) object["status"] = "deactivated";
        if (wanted.contact) object["contact"] = *wanted.contact;
        if (wanted.terms_agreed) object["terms"] = terms();
        const auto thumbprint = jose::thumbprint(request.key);
        if (!thumbprint) return broken(thumbprint.error());
        CA_STORE(records.put("account", id, id, *thumbprint, object));
    }
    return reply(200, show_account(id, object));
}

Answer<void> Service::Impl::require_agreement(const std::string& account)
{
    if (terms().empty()) return {};
    CA_TRY(object, owned("account", account, account));
    if (base::string_member(object, "terms") == terms()) return {};
    auto refusal = refuse(403, "userActionRequired", "the terms of service have changed");
    // RFC 8555 section 7.3.3: "a "Link" header field with link relation "terms-of-service" and ...
    // "instance"".
    refusal.value().instance = url("/agree/" + account);
    refusal.value().headers.emplace_back("Link", fmt::format("<{}>;rel=\"terms-of-service\"", terms()));
    return refusal;
}

/// What the person does whom "instance" has sent here.
Answer<ServerResponse> Service::Impl::agree(const std::string& account)
{
    CA_TRY(object, owned("account", account, account));
    CA_TRY(key, account_key(object["jwk"]));
    object["terms"] = terms();
    CA_STORE(records.put("account", account, account, jose::thumbprint(key).value_or(""), object));
    return http::text_response(200, "The new terms are agreed to.");
}

Answer<ServerResponse> Service::Impl::key_change(const SignedRequest& request)
{
    CA_TRY(change, *request.new_key);
    if (change.url != url("/keyChange"))
        return refuse(400, "malformed", "keyChange: the inner \"url\" is not the outer one");
    if (change.account != url("/account/" + request.account) || !change.old_key.same_public_key(request.key))
        return refuse(400, "malformed", "keyChange: account or oldKey are not those of the outer signature");
    const auto thumbprint = jose::thumbprint(change.new_key);
    const auto jwk = jose::to_jwk(change.new_key);
    if (!thumbprint || !jwk) return refuse(400, "badPublicKey", "keyChange: no key for an account");
    auto known = records.find("account", "", *thumbprint);
    if (!known) return broken(known.error());
    if (!known->empty()) {
        // RFC 8555 section 7.3.5: "409 (Conflict) ... the "Location" header field [is] the account's URL".
        auto refusal = refuse(409, "malformed", "keyChange: an account has that key already");
        refusal.value().headers.emplace_back("Location", url("/account/" + known->front().first));
        return refusal;
    }
    CA_TRY(object, owned("account", request.account, request.account));
    object["jwk"] = *jwk;
    CA_STORE(records.put("account", request.account, request.account, *thumbprint, object));
    return reply(200, show_account(request.account, object), url("/account/" + request.account));
}

Answer<ServerResponse> Service::Impl::orders(const SignedRequest& request, const std::string& id,
                                             std::size_t from)
{
    if (id != request.account) return refuse(403, "unauthorized", "that is another account");
    const std::size_t page =
        faults.number("ordersPerPage") > 0 ? faults.number("ordersPerPage") : kOrdersPerPage;
    auto found = records.ids("order", id, from, page + 1);
    if (!found) return broken(found.error());
    Json list = Json::array();
    for (std::size_t i = 0; i < std::min(page, found->size()); ++i)
        list.push_back(url("/order/" + (*found)[i]));
    auto response = reply(200, {{"orders", list}});
    if (found->size() > page)
        response.headers.emplace_back("Link", fmt::format("<{}?from={}>;rel=\"next\"",
                                                          url(fmt::format("/account/{}/orders", id)),
                                                          from + list.size()));
    return response;
}

} // namespace acmetool::ca
