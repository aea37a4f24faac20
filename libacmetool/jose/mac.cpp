#include "jose/mac.h"

#include <nlohmann/json.hpp>
#include <openssl/hmac.h>

#include "base/base64url.h"
#include "crypto/openssl.h"

namespace acmetool::jose
{
namespace
{

using base::Json;

Result<Bytes> mac_of(const EVP_MD* digest, const base::Secret& key, std::string_view input)
{
    Bytes mac(EVP_MAX_MD_SIZE);
    unsigned size = 0;
    const auto secret = key.reveal();
    if (HMAC(digest, secret.data(), static_cast<int>(secret.size()),
             reinterpret_cast<const unsigned char*>(input.data()), input.size(), mac.data(),
             &size) == nullptr)
        return crypto::openssl_failure(Errc::internal, "computing a MAC");
    mac.resize(size);
    return mac;
}

} // namespace

Result<std::string> sign_with_mac(const base::Secret& key, Json header, std::string_view payload)
{
    header["alg"] = "HS256";
    const std::string protected_header = base::to_base64url(as_bytes(header.dump()));
    const std::string body = base::to_base64url(as_bytes(payload));
    ACMETOOL_TRY(mac, mac_of(EVP_sha256(), key, protected_header + "." + body));
    return Json{{"protected", protected_header}, {"payload", body}, {"signature", base::to_base64url(mac)}}
        .dump();
}

Result<void> verify_mac(const Jws& jws, const base::Secret& key)
{
    const auto name = base::string_member(*jws.header, "alg").value_or("");
    const EVP_MD* digest = name == "HS256"   ? EVP_sha256()
                           : name == "HS384" ? EVP_sha384()
                           : name == "HS512" ? EVP_sha512()
                                             : nullptr;
    if (digest == nullptr) return fail(Errc::bad_input, "JWS: \"alg\" is not a MAC algorithm");
    ACMETOOL_TRY(mac, mac_of(digest, key, jws.signing_input));
    if (mac.size() != jws.signature.size() ||
        CRYPTO_memcmp(mac.data(), jws.signature.data(), mac.size()) != 0)
        return fail(Errc::bad_input, "JWS: the MAC does not verify");
    return {};
}

} // namespace acmetool::jose
