#include "ca/service_impl.h"

#include <fmt/core.h>

#include "crypto/digest.h"
#include "jose/jwk.h"
#include "jose/jws.h"

namespace acmetool::ca
{
namespace
{

bool is_signed_by(const ParsedRequest& request, const crypto::Key& key)
{
    const auto algorithm = jose::algorithm_of(key);
    return algorithm && request.algorithm == *algorithm && jose::verify(request.jws, key);
}

} // namespace

Answer<Json> Service::Impl::key_of(Result<std::optional<Json>> stored) const
{
    const auto fault = faults.value("account");
    if (!stored) return broken(stored.error());
    if (!*stored || fault == "doesNotExist")
        return refuse(400, "accountDoesNotExist", "\"kid\" is no account of this CA");
    if ((**stored)["status"] != "valid" || fault == "deactivated")
        return refuse(401, "unauthorized", "the account is deactivated");
    return (**stored)["jwk"];
}

Answer<SignedRequest> Service::Impl::verify(const PendingRequest& pending)
{
    const auto& request = pending.request;
    const bool by_jwk = pending.resource == Resource::new_account;
    const bool either = pending.resource == Resource::revoke_cert;
    const auto type = http::find(request.headers, "content-type").value_or("");
    if (type.substr(0, type.find(';')) != "application/jose+json")
        return refuse(415, "malformed", "the content type has to be application/jose+json");
    CA_TRY(parsed, parse_request(request.body));
    if (parsed.url != url(request.target))
        return refuse(401, "unauthorized", "\"url\" in the header is not the URL of the request");
    if ((parsed.jwk && !by_jwk && !either) || (!parsed.jwk && by_jwk))
        return refuse(400, "malformed",
                      by_jwk ? "this request is signed with \"jwk\"" : "this request is signed with \"kid\"");
    // Before anything that costs more: without a nonce of ours, nobody has a signature looked at.
    const auto dice = crypto::random_number<std::uint8_t>();
    if (!nonces.use(parsed.nonce, std::chrono::seconds{faults.number("nonceLifetime")}) ||
        dice * 100U / 256U < faults.number("badNonce"))
        return refuse(400, "badNonce", "the nonce is not one of ours, was used, or is too old");
    SignedRequest result;
    bool is_verified = false;
    if (parsed.jwk) {
        result.key = *parsed.jwk;
    } else {
        const auto prefix = url("/account/");
        if (!parsed.kid.starts_with(prefix))
            return refuse(400, "accountDoesNotExist", "\"kid\" is no account of this CA");
        result.account = parsed.kid.substr(prefix.size());
        // Whether the account is still there and has this key, dispatch() looks at.
        if (auto last = account_keys.last_of(result.account); last && is_signed_by(parsed, last->key)) {
            result.account_jwk = std::move(last->jwk);
            result.key = std::move(last->key);
            is_verified = true;
        } else {
            CA_TRY(jwk, key_of(committed.get("account", result.account)));
            result.account_jwk = std::move(jwk);
            CA_TRY(key, account_keys.get(result.account, result.account_jwk));
            result.key = key;
        }
    }
    if (!is_verified) {
        const auto algorithm = jose::algorithm_of(result.key);
        if (!algorithm || parsed.algorithm != *algorithm) {
            // RFC 8555 section 6.2: "The problem document ... MUST include an "algorithms" field".
            auto refusal = refuse(400, "badSignatureAlgorithm", "\"alg\" does not fit the key");
            refusal.value().lists_algorithms = true;
            return refusal;
        }
        is_verified = jose::verify(parsed.jws, result.key).has_value();
    }
    if (!is_verified || faults.value("account") == "keyChanged")
        return refuse(400, "malformed", "the signature does not verify");
    result.as_get = parsed.jws.payload.empty();
    if (!result.as_get) {
        result.text = as_text(parsed.jws.payload);
        auto payload = base::parse_json_object(result.text, "payload");
        if (!payload) return refuse(400, "malformed", payload.error().message);
        result.payload = std::move(*payload);
    }
    return result;
}

} // namespace acmetool::ca
