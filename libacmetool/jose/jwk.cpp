#include "jose/jwk.h"

#include <array>

#include <fmt/core.h>
#include <nlohmann/json.hpp>
#include <openssl/core_names.h>
#include <openssl/param_build.h>

#include "base/base64url.h"
#include "crypto/digest.h"
#include "crypto/key_type.h"
#include "crypto/openssl.h"

namespace acmetool::jose
{
namespace
{

using base::Json;
using crypto::BignumPtr;
using crypto::Owned;

struct Curve {
    const char* jwk;     ///< RFC 7518 section 6.2.1.1
    const char* type;    ///< Key::type()
    const char* openssl; ///< group name
    std::size_t octets;  ///< of a coordinate
};
constexpr std::array<Curve, 3> kCurves{{{"P-256", "ec:P-256", "prime256v1", 32},
                                        {"P-384", "ec:P-384", "secp384r1", 48},
                                        {"P-521", "ec:P-521", "secp521r1", 66}}};

/// A number parameter, left-padded to `octets` (0: as few as it needs), in base64url.
std::string number_of(EVP_PKEY* pkey, const char* name, std::size_t octets)
{
    BIGNUM* raw = nullptr;
    EVP_PKEY_get_bn_param(pkey, name, &raw);
    const BignumPtr number{raw};
    if (!number) return {};
    Bytes bytes(octets != 0 ? octets : static_cast<std::size_t>(BN_num_bytes(number.get())));
    BN_bn2binpad(number.get(), bytes.data(), static_cast<int>(bytes.size()));
    return base::to_base64url(bytes);
}

constexpr std::size_t kMostModulus = 512; ///< octets: 4096 bits, as crypto::check_key_size()
constexpr std::size_t kMostExponent = 8;

Result<BignumPtr> parse_number(const Json& jwk, std::string_view name, std::size_t most)
{
    ACMETOOL_TRY(text, base::required_string(jwk, name, "jwk"));
    ACMETOOL_TRY(bytes, base::parse_base64url(text));
    if (bytes.empty() || bytes.size() > most)
        return fail(Errc::bad_input,
                    fmt::format("jwk: bad length of \"{}\": 1 to {} bits are taken", name, most * 8));
    return BignumPtr{BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr)};
}

Result<crypto::Key> from_parameters(const char* type, OSSL_PARAM_BLD* builder)
{
    const Owned<OSSL_PARAM, OSSL_PARAM_free> parameters{OSSL_PARAM_BLD_to_param(builder)};
    const crypto::PkeyCtxPtr context{EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr)};
    EVP_PKEY* pkey = nullptr;
    if (!parameters || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
        EVP_PKEY_fromdata(context.get(), &pkey, EVP_PKEY_PUBLIC_KEY, parameters.get()) != 1)
        return crypto::openssl_failure(Errc::bad_input, "jwk: not a usable public key");
    return crypto::Key::adopt(pkey);
}

Result<crypto::Key> parse_ec(const Json& jwk)
{
    ACMETOOL_TRY(name, base::required_string(jwk, "crv", "jwk"));
    for (const auto& curve : kCurves) {
        if (name != curve.jwk) continue;
        Bytes point{0x04};
        for (const char* coordinate : {"x", "y"}) {
            ACMETOOL_TRY(text, base::required_string(jwk, coordinate, "jwk"));
            ACMETOOL_TRY(bytes, base::parse_base64url(text));
            // RFC 7518 section 6.2.1.2: "The length of this octet string MUST be the full size of a
            // coordinate".
            if (bytes.size() != curve.octets)
                return fail(Errc::bad_input, fmt::format("jwk: bad length of \"{}\"", coordinate));
            point.insert(point.end(), bytes.begin(), bytes.end());
        }
        const Owned<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free> builder{OSSL_PARAM_BLD_new()};
        OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, curve.openssl, 0);
        OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size());
        ACMETOOL_TRY(key, from_parameters("EC", builder.get()));
        // Quick: the point is on the curve, and none of these curves has another subgroup.
        const crypto::PkeyCtxPtr check{EVP_PKEY_CTX_new_from_pkey(nullptr, key.get(), nullptr)};
        if (!check || EVP_PKEY_public_check_quick(check.get()) != 1)
            return crypto::openssl_failure(Errc::bad_input, "jwk: not a valid public key");
        return std::move(key);
    }
    return fail(Errc::bad_input, fmt::format("jwk: unsupported curve \"{}\"", name));
}

Result<crypto::Key> parse_rsa(const Json& jwk)
{
    ACMETOOL_TRY(n, parse_number(jwk, "n", kMostModulus));
    ACMETOOL_TRY(e, parse_number(jwk, "e", kMostExponent));
    // OpenSSL's own check looks whether the modulus is a prime, which takes a second of CPU for a large one;
    // a modulus that is one harms nobody but the key's owner. RFC 7518 section 3.3: "A key of size 2048 bits
    // or larger MUST be used".
    if (BN_num_bits(n.get()) < crypto::kLeastRsaBits || !BN_is_odd(n.get()) || !BN_is_odd(e.get()) ||
        BN_is_one(e.get()))
        return fail(Errc::bad_input, "jwk: not a valid RSA key of 2048 to 4096 bits");
    const Owned<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free> builder{OSSL_PARAM_BLD_new()};
    OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get());
    OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get());
    return from_parameters("RSA", builder.get());
}

Result<crypto::Key> parse_okp(const Json& jwk)
{
    ACMETOOL_TRY(x, base::required_string(jwk, "x", "jwk"));
    ACMETOOL_TRY(bytes, base::parse_base64url(x));
    EVP_PKEY* pkey = base::string_member(jwk, "crv") == "Ed25519"
                         ? EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes.data(), bytes.size())
                         : nullptr;
    if (pkey == nullptr) return crypto::openssl_failure(Errc::bad_input, "jwk: not an Ed25519 key");
    return crypto::Key::adopt(pkey);
}

} // namespace

Result<Json> to_jwk(const crypto::Key& key)
{
    const auto type = key.type();
    for (const auto& curve : kCurves)
        if (type == curve.type)
            return Json{{"crv", curve.jwk},
                        {"kty", "EC"},
                        {"x", number_of(key.get(), OSSL_PKEY_PARAM_EC_PUB_X, curve.octets)},
                        {"y", number_of(key.get(), OSSL_PKEY_PARAM_EC_PUB_Y, curve.octets)}};
    if (type.starts_with("rsa:"))
        return Json{{"e", number_of(key.get(), OSSL_PKEY_PARAM_RSA_E, 0)},
                    {"kty", "RSA"},
                    {"n", number_of(key.get(), OSSL_PKEY_PARAM_RSA_N, 0)}};
    if (type == "ed25519") {
        Bytes raw(32);
        std::size_t size = raw.size();
        EVP_PKEY_get_raw_public_key(key.get(), raw.data(), &size);
        return Json{{"crv", "Ed25519"}, {"kty", "OKP"}, {"x", base::to_base64url(raw)}};
    }
    return fail(Errc::config, "the key is of no type that ACME accounts use",
                "use ec:P-256, ec:P-384, ec:P-521, rsa:2048 and up, or ed25519");
}

Result<crypto::Key> parse_jwk(const Json& jwk)
{
    if (!jwk.is_object()) return fail(Errc::bad_input, "jwk: not an object");
    if (jwk.contains("d") || jwk.contains("k")) return fail(Errc::bad_input, "jwk: holds a private key");
    ACMETOOL_TRY(type, base::required_string(jwk, "kty", "jwk"));
    if (type == "EC") return parse_ec(jwk);
    if (type == "RSA") return parse_rsa(jwk);
    if (type == "OKP") return parse_okp(jwk);
    return fail(Errc::bad_input, fmt::format("jwk: unsupported key type \"{}\"", type));
}

Result<std::string> thumbprint(const crypto::Key& key)
{
    // The members of to_jwk() are just those RFC 7638 section 3.2 requires, and nlohmann's object keeps them
    // in lexicographic order: its compact text is the canonical form.
    ACMETOOL_TRY(jwk, to_jwk(key));
    return base::to_base64url(crypto::sha256(as_bytes(jwk.dump())));
}

} // namespace acmetool::jose
