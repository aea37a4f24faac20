#include "ca/payloads.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

#include <fmt/core.h>

#include "acme/contact.h"
#include "base/base64url.h"
#include "base/text.h"
#include "crypto/key_size.h"
#include "crypto/key_type.h"
#include "crypto/request_info.h"
#include "dns/name.h"
#include "jose/jwk.h"

namespace acmetool::ca
{
namespace
{

using base::Json;

constexpr std::size_t kMostIdentifiers = 100;
constexpr std::size_t kMostContacts = 10;

Answer<std::optional<base::TimePoint>> time_member(const Json& payload, const char* name)
{
    const auto member = payload.find(name);
    if (member == payload.end()) return std::optional<base::TimePoint>{};
    const auto time = base::parse_rfc3339(member->is_string() ? member->get<std::string>() : "");
    if (!time) return refuse(400, "malformed", fmt::format("\"{}\" is no RFC 3339 time", name));
    return std::optional{*time};
}

/// RFC 8555 section 7.3: "unsupportedContact" for another scheme, "invalidContact" for a bad mailto: URL.
Answer<void> judge_contact(const Json& contact)
{
    if (!contact.is_string()) return refuse(400, "malformed", "\"contact\" holds something other than URLs");
    const auto url = contact.get<std::string>();
    if (auto good = acme::check_contact(url); !good)
        return refuse(400, "invalidContact", good.error().message);
    if (!base::equals_ignoring_case(url.substr(0, url.find(':')), "mailto"))
        return refuse(400, "unsupportedContact",
                      fmt::format("contact {}: only mailto URLs are supported", base::printable(url, 200)));
    return {};
}

Answer<std::string> checked_address(const std::string& value)
{
    unsigned char octets[16];
    char text[INET6_ADDRSTRLEN];
    for (const int family : {AF_INET, AF_INET6})
        if (inet_pton(family, value.c_str(), octets) == 1 &&
            inet_ntop(family, octets, text, sizeof text) != nullptr)
            return std::string{text};
    return refuse(400, "rejectedIdentifier", fmt::format("{} is no IP address", base::printable(value, 60)));
}

} // namespace

std::optional<std::string> weakness_of(const crypto::Key& key)
{
    if (const auto bounded = crypto::check_key_size(key); !bounded) return bounded.error().message;
    const auto type = key.type();
    unsigned bits = 0;
    if (type.starts_with("rsa:")) std::from_chars(type.data() + 4, type.data() + type.size(), bits);
    if (type == "other" || (type.starts_with("rsa:") && bits < crypto::kLeastRsaBits))
        return fmt::format("keys of type {} are not taken", crypto::name_of_key(key));
    return std::nullopt;
}

Answer<crypto::Key> account_key(const Json& jwk)
{
    auto key = jose::parse_jwk(jwk);
    if (!key) return refuse(400, "badPublicKey", key.error().message);
    return std::move(*key);
}

Answer<ParsedRequest> parse_request(std::string_view body)
{
    auto jws = jose::parse_jws(body);
    if (!jws) return refuse(400, "malformed", jws.error().message);
    ParsedRequest request;
    request.jws = std::move(*jws);
    const Json& header = *request.jws.header;
    request.algorithm = base::string_member(header, "alg").value_or("");
    request.url = base::string_member(header, "url").value_or("");
    request.nonce = base::string_member(header, "nonce").value_or("");
    // RFC 8555 section 6.2: "The "jwk" and "kid" fields are mutually exclusive."
    if (header.contains("jwk") == header.contains("kid"))
        return refuse(400, "malformed", "the header holds one of \"jwk\" and \"kid\"");
    if (header.contains("kid")) {
        request.kid = base::string_member(header, "kid").value_or("");
        if (request.kid.empty()) return refuse(400, "malformed", "\"kid\" is no string");
        return request;
    }
    CA_TRY(key, account_key(header["jwk"]));
    if (const auto weakness = weakness_of(key)) return refuse(400, "badPublicKey", *weakness);
    request.jwk = std::move(key);
    return request;
}

Answer<AccountRequest> parse_account_request(const Json& payload)
{
    AccountRequest request;
    if (!payload.is_object()) return request;
    request.terms_agreed = base::bool_member(payload, "termsOfServiceAgreed", false);
    request.only_return_existing = base::bool_member(payload, "onlyReturnExisting", false);
    request.deactivate = base::string_member(payload, "status") == "deactivated";
    if (const auto contact = payload.find("contact"); contact != payload.end()) {
        if (!contact->is_array() || contact->size() > kMostContacts)
            return refuse(400, "malformed", "\"contact\" is no array of up to 10 URLs");
        for (const auto& entry : *contact)
            if (auto judged = judge_contact(entry); !judged) return tl::unexpected(judged.error());
        request.contact = *contact;
    }
    if (const auto binding = payload.find("externalAccountBinding"); binding != payload.end()) {
        if (!binding->is_object()) return refuse(400, "malformed", "\"externalAccountBinding\" is no JWS");
        request.external_binding = *binding;
    }
    return request;
}

Answer<OrderIdentifier> parse_identifier(const Json& identifier)
{
    const auto type = base::string_member(identifier, "type");
    const auto value = base::string_member(identifier, "value");
    if (!identifier.is_object() || !type || !value)
        return refuse(400, "malformed", "an identifier has a type and a value");
    return OrderIdentifier{*type, *value, base::string_member(identifier, "ancestorDomain"),
                           base::bool_member(identifier, "subdomainAuthAllowed", false)};
}

Answer<NewOrder> parse_new_order(const Json& payload)
{
    const bool is_object = payload.is_object();
    const auto identifiers = is_object ? payload.find("identifiers") : payload.end();
    if (!is_object || identifiers == payload.end() || !identifiers->is_array() || identifiers->empty() ||
        identifiers->size() > kMostIdentifiers)
        return refuse(400, "malformed", "newOrder takes 1 to 100 identifiers");
    NewOrder order;
    for (const auto& identifier : *identifiers) {
        CA_TRY(parsed, parse_identifier(identifier));
        order.identifiers.push_back(std::move(parsed));
    }
    CA_TRY(not_before, time_member(payload, "notBefore"));
    CA_TRY(not_after, time_member(payload, "notAfter"));
    if (not_before && not_after && *not_after <= *not_before)
        return refuse(400, "malformed", "\"notAfter\" is not after \"notBefore\"");
    order.not_before = not_before;
    order.not_after = not_after;
    for (auto [name, place] : {std::pair{"profile", &order.profile}, {"replaces", &order.replaces}}) {
        if (!payload.contains(name)) continue;
        const auto text = base::string_member(payload, name);
        if (!text || text->empty() || text->size() > 255)
            return refuse(400, "malformed", fmt::format("\"{}\" is no text", name));
        *place = *text;
    }
    return order;
}

Answer<crypto::Csr> parse_finalize(const Json& payload)
{
    const auto text = payload.is_object() ? base::string_member(payload, "csr") : std::nullopt;
    const auto der = base::parse_base64url(text.value_or(""));
    if (!der || der->empty()) return refuse(400, "malformed", "\"csr\" is not base64url");
    auto csr = crypto::parse_csr(as_text(*der));
    if (!csr) return refuse(400, "badCSR", csr.error().message);
    if (auto name = crypto::name_in_subject(*csr)) csr->identifiers.push_back(std::move(*name));
    if (const auto names = crypto::require_identifiers(*csr); !names)
        return refuse(400, "badCSR", names.error().message);
    if (const auto weakness = weakness_of(csr->key)) return refuse(400, "badCSR", *weakness);
    return std::move(*csr);
}

Answer<KeyChange> parse_key_change(std::string_view inner)
{
    CA_TRY(request, parse_request(inner));
    if (!request.jwk) return refuse(400, "malformed", "keyChange: the inner JWS is signed with \"jwk\"");
    // RFC 8555 section 7.3.5: "The inner JWS MUST omit the "nonce" header parameter."
    if (request.jws.header->contains("nonce"))
        return refuse(400, "malformed", "keyChange: the inner JWS has no nonce");
    if (!jose::verify(request.jws, *request.jwk))
        return refuse(400, "malformed", "keyChange: the inner signature does not verify");
    const auto payload = base::parse_json_object(as_text(request.jws.payload), "inner payload");
    if (!payload) return refuse(400, "malformed", payload.error().message);
    const auto account = base::string_member(*payload, "account");
    const auto old_key = payload->contains("oldKey") ? jose::parse_jwk((*payload)["oldKey"])
                                                     : fail(Errc::bad_input, "no \"oldKey\"");
    if (!account || !old_key)
        return refuse(400, "malformed", "keyChange: the inner payload holds account and oldKey");
    return KeyChange{*request.jwk, request.url, *account, *old_key};
}

Answer<std::string> checked_name(const OrderIdentifier& identifier, bool allow_wildcard)
{
    if (identifier.type == "ip") return checked_address(identifier.value);
    if (identifier.type != "dns")
        return refuse(400, "unsupportedIdentifier", "identifiers are of type dns and ip");
    const auto name = dns::normalize_name(identifier.value, {allow_wildcard});
    if (!name) return refuse(400, "rejectedIdentifier", name.error().message);
    const auto base = name->starts_with("*.") ? name->substr(2) : *name;
    if (base.find('.') == std::string::npos)
        return refuse(400, "rejectedIdentifier", *name + ": a single label");
    return *name;
}

} // namespace acmetool::ca
