#include "jose/mac.h"

#include <optional>

#include <nlohmann/json.hpp>

#include "base/base64url.h"
#include "crypto/digest.h"

namespace acmetool::jose
{
namespace
{

using base::Json;

using crypto::Hash;

Result<Bytes> mac_of(Hash hash, const base::Secret& key, std::string_view input)
{
    return crypto::hmac(hash, as_bytes(key.reveal()), as_bytes(input));
}

/// RFC 7518 section 3.2.
std::optional<Hash> hash_of(std::string_view algorithm)
{
    if (algorithm == "HS256") return Hash::sha256;
    if (algorithm == "HS384") return Hash::sha384;
    if (algorithm == "HS512") return Hash::sha512;
    return std::nullopt;
}

} // namespace

Result<std::string> sign_with_mac(const base::Secret& key, Json header, std::string_view payload)
{
    header["alg"] = "HS256";
    const std::string protected_header = base::to_base64url(as_bytes(header.dump()));
    const std::string body = base::to_base64url(as_bytes(payload));
    ACMETOOL_TRY(mac, mac_of(Hash::sha256, key, protected_header + "." + body));
    return Json{{"protected", protected_header}, {"payload", body}, {"signature", base::to_base64url(mac)}}
        .dump();
}

Result<void> verify_mac(const Jws& jws, const base::Secret& key)
{
    const auto hash = hash_of(base::string_member(*jws.header, "alg").value_or(""));
    if (!hash) return fail(Errc::bad_input, "JWS: \"alg\" is not a MAC algorithm");
    ACMETOOL_TRY(mac, mac_of(*hash, key, jws.signing_input));
    if (!crypto::equal_in_constant_time(mac, jws.signature))
        return fail(Errc::bad_input, "JWS: the MAC does not verify");
    return {};
}

} // namespace acmetool::jose
