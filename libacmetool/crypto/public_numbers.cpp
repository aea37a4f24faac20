#include "crypto/public_numbers.h"

#include <algorithm>
#include <array>

#include <fmt/core.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>

#include "crypto/key_type.h"
#include "crypto/openssl.h"

namespace acmetool::crypto
{
namespace
{

struct NumbersCurve {
    std::string_view type; ///< Key::type()
    const char* group;     ///< OpenSSL's name
    std::size_t octets;    ///< of a coordinate
};
constexpr std::array<NumbersCurve, 3> kCurves{
    {{"ec:P-256", "prime256v1", 32}, {"ec:P-384", "secp384r1", 48}, {"ec:P-521", "secp521r1", 66}}};

const NumbersCurve* numbers_curve(std::string_view type)
{
    const auto* const found =
        std::find_if(kCurves.begin(), kCurves.end(), [&](const auto& curve) { return curve.type == type; });
    return found == kCurves.end() ? nullptr : found;
}

/// A number parameter, left-padded to `octets` (0: as few as it needs).
Bytes number_of(const Key& key, const char* name, std::size_t octets)
{
    BIGNUM* raw = nullptr;
    EVP_PKEY_get_bn_param(key.get(), name, &raw);
    const BignumPtr number{raw};
    if (!number) return {};
    Bytes bytes(octets != 0 ? octets : static_cast<std::size_t>(BN_num_bytes(number.get())));
    BN_bn2binpad(number.get(), bytes.data(), static_cast<int>(bytes.size()));
    return bytes;
}

using BuilderPtr = Owned<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free>;

Result<Key> from_parameters(const char* type, OSSL_PARAM_BLD* builder)
{
    const Owned<OSSL_PARAM, OSSL_PARAM_free> parameters{OSSL_PARAM_BLD_to_param(builder)};
    const PkeyCtxPtr context{EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr)};
    EVP_PKEY* pkey = nullptr;
    if (!parameters || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
        EVP_PKEY_fromdata(context.get(), &pkey, EVP_PKEY_PUBLIC_KEY, parameters.get()) != 1)
        return openssl_failure(Errc::bad_input, "not a usable public key");
    return Key::adopt(pkey);
}

Result<Key> key_of(const EcPoint& numbers)
{
    const auto* const curve = numbers_curve(numbers.type);
    if (curve == nullptr) return fail(Errc::bad_input, fmt::format("unsupported curve \"{}\"", numbers.type));
    if (numbers.x.size() != curve->octets) return fail(Errc::bad_input, "bad length of \"x\"");
    if (numbers.y.size() != curve->octets) return fail(Errc::bad_input, "bad length of \"y\"");
    Bytes point{0x04};
    point.insert(point.end(), numbers.x.begin(), numbers.x.end());
    point.insert(point.end(), numbers.y.begin(), numbers.y.end());
    const BuilderPtr builder{OSSL_PARAM_BLD_new()};
    OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, curve->group, 0);
    OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size());
    ACMETOOL_TRY(key, from_parameters("EC", builder.get()));
    // Quick: the point is on the curve, and none of these curves has another subgroup.
    const PkeyCtxPtr check{EVP_PKEY_CTX_new_from_pkey(nullptr, key.get(), nullptr)};
    if (!check || EVP_PKEY_public_check_quick(check.get()) != 1)
        return openssl_failure(Errc::bad_input, "not a valid public key");
    return std::move(key);
}

Result<Key> key_of(const RsaNumbers& numbers)
{
    const auto number = [](const Bytes& octets) {
        return BignumPtr{BN_bin2bn(octets.data(), static_cast<int>(octets.size()), nullptr)};
    };
    const auto n = number(numbers.modulus);
    const auto e = number(numbers.exponent);
    // OpenSSL's own check looks whether the modulus is a prime, which takes a second of CPU for a large one;
    // a modulus that is one harms nobody but the key's owner. RFC 7518 section 3.3: "A key of size 2048 bits
    // or larger MUST be used".
    if (!n || !e || BN_num_bits(n.get()) < kLeastRsaBits || !BN_is_odd(n.get()) || !BN_is_odd(e.get()) ||
        BN_is_one(e.get()))
        return fail(Errc::bad_input, "not a valid RSA key of 2048 to 4096 bits");
    const BuilderPtr builder{OSSL_PARAM_BLD_new()};
    OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get());
    OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get());
    return from_parameters("RSA", builder.get());
}

Result<Key> key_of(const Ed25519Octets& numbers)
{
    EVP_PKEY* const pkey =
        EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, numbers.value.data(), numbers.value.size());
    if (pkey == nullptr) return openssl_failure(Errc::bad_input, "not an Ed25519 key");
    return Key::adopt(pkey);
}

} // namespace

std::optional<PublicNumbers> public_numbers(const Key& key)
{
    const auto type = key.type();
    if (const auto* const curve = numbers_curve(type))
        return EcPoint{type, number_of(key, OSSL_PKEY_PARAM_EC_PUB_X, curve->octets),
                       number_of(key, OSSL_PKEY_PARAM_EC_PUB_Y, curve->octets)};
    if (type.starts_with("rsa:"))
        return RsaNumbers{number_of(key, OSSL_PKEY_PARAM_RSA_N, 0), number_of(key, OSSL_PKEY_PARAM_RSA_E, 0)};
    if (type != "ed25519") return std::nullopt;
    Ed25519Octets octets{Bytes(32)};
    std::size_t size = octets.value.size();
    EVP_PKEY_get_raw_public_key(key.get(), octets.value.data(), &size);
    return octets;
}

Result<Key> make_public_key(const PublicNumbers& numbers)
{
    return std::visit([](const auto& each) { return key_of(each); }, numbers);
}

} // namespace acmetool::crypto
