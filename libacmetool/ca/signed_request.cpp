#include "ca/service_impl.h"

#include <fmt/core.h>
#include <openssl/rand.h>

#include "jose/jwk.h"
#include "jose/jws.h"

namespace acmetool::ca
{

Answer<SignedRequest> Service::Impl::verify(const ServerRequest& request, bool by_jwk, bool either)
{
    const auto type = http::find(request.headers, "content-type").value_or("");
    if (type.substr(0, type.find(';')) != "application/jose+json")
        return refuse(415, "malformed", "the content type has to be application/jose+json");
    auto jws = jose::parse_jws(request.body);
    if (!jws) return refuse(400, "malformed", jws.error().message);
    const Json& header = *jws->header;
    if (base::string_member(header, "url") != url(request.target))
        return refuse(401, "unauthorized", "\"url\" in the header is not the URL of the request");
    const bool has_jwk = header.contains("jwk");
    const bool has_kid = header.contains("kid");
    // RFC 8555 section 6.2: "The "jwk" and "kid" fields are mutually exclusive."
    if (has_jwk == has_kid || (has_jwk && !by_jwk && !either) || (has_kid && by_jwk))
        return refuse(400, "malformed",
                      by_jwk ? "this request is signed with \"jwk\"" : "this request is signed with \"kid\"");
    SignedRequest result;
    if (has_jwk) {
        auto key = jose::parse_jwk(header["jwk"]);
        if (!key) return refuse(400, "badPublicKey", key.error().message);
        result.key = *key;
    } else {
        const auto kid = base::string_member(header, "kid").value_or("");
        const auto prefix = url("/account/");
        if (!kid.starts_with(prefix))
            return refuse(400, "accountDoesNotExist", "\"kid\" is no account of this CA");
        result.account = kid.substr(prefix.size());
        auto stored = records.get("account", result.account);
        if (!stored) return broken(stored.error());
        if (!*stored) return refuse(400, "accountDoesNotExist", "\"kid\" is no account of this CA");
        if ((**stored)["status"] != "valid") return refuse(401, "unauthorized", "the account is deactivated");
        auto key = jose::parse_jwk((**stored)["jwk"]);
        if (!key) return broken(key.error());
        result.key = *key;
    }
    const auto algorithm = jose::algorithm_of(result.key);
    if (!algorithm || base::string_member(header, "alg") != *algorithm)
        return refuse(400, "badSignatureAlgorithm", "\"alg\" does not fit the key");
    if (!jose::verify(*jws, result.key)) return refuse(400, "malformed", "the signature does not verify");
    // Last, so that junk costs nobody a nonce.
    unsigned char dice = 0;
    RAND_bytes(&dice, 1);
    if (!nonces.use(base::string_member(header, "nonce").value_or("")) ||
        dice * 100U / 256U < faults.number("badNonce"))
        return refuse(400, "badNonce", "the nonce is not one of ours, or was used");
    result.as_get = jws->payload.empty();
    if (!result.as_get) {
        auto payload = base::parse_json_object(as_text(jws->payload), "payload");
        if (!payload) return refuse(400, "malformed", payload.error().message);
        result.payload = std::move(*payload);
    }
    return result;
}

} // namespace acmetool::ca
