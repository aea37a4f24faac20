#include "jose/jwk.h"

#include <algorithm>
#include <array>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/base64url.h"
#include "crypto/digest.h"
#include "crypto/public_numbers.h"

namespace acmetool::jose
{
namespace
{

using base::Json;

/// RFC 7518 section 6.2.1.1, and Key::type().
struct Curve {
    std::string_view jwk;
    std::string_view type;
};
constexpr std::array<Curve, 3> kCurves{{{"P-256", "ec:P-256"}, {"P-384", "ec:P-384"}, {"P-521", "ec:P-521"}}};

constexpr std::size_t kMostModulus = 512; ///< octets: 4096 bits, as crypto::check_key_size()
constexpr std::size_t kMostExponent = 8;

Result<Bytes> parse_octets(const Json& jwk, std::string_view name)
{
    ACMETOOL_TRY(text, base::required_string(jwk, name, "jwk"));
    return base::parse_base64url(text);
}

Result<Bytes> parse_number(const Json& jwk, std::string_view name, std::size_t most)
{
    ACMETOOL_TRY(bytes, parse_octets(jwk, name));
    if (bytes.empty() || bytes.size() > most)
        return fail(Errc::bad_input,
                    fmt::format("jwk: bad length of \"{}\": 1 to {} bits are taken", name, most * 8));
    return std::move(bytes);
}

Result<crypto::PublicNumbers> parse_ec(const Json& jwk)
{
    ACMETOOL_TRY(name, base::required_string(jwk, "crv", "jwk"));
    const auto* const curve =
        std::find_if(kCurves.begin(), kCurves.end(), [&](const auto& one) { return one.jwk == name; });
    if (curve == kCurves.end())
        return fail(Errc::bad_input, fmt::format("jwk: unsupported curve \"{}\"", name));
    // RFC 7518 section 6.2.1.2: "The length of this octet string MUST be the full size of a coordinate".
    ACMETOOL_TRY(x, parse_octets(jwk, "x"));
    ACMETOOL_TRY(y, parse_octets(jwk, "y"));
    return crypto::EcPoint{std::string{curve->type}, std::move(x), std::move(y)};
}

Result<crypto::PublicNumbers> parse_rsa(const Json& jwk)
{
    ACMETOOL_TRY(n, parse_number(jwk, "n", kMostModulus));
    ACMETOOL_TRY(e, parse_number(jwk, "e", kMostExponent));
    return crypto::RsaNumbers{std::move(n), std::move(e)};
}

Result<crypto::PublicNumbers> parse_okp(const Json& jwk)
{
    if (base::string_member(jwk, "crv") != "Ed25519") return fail(Errc::bad_input, "jwk: not an Ed25519 key");
    ACMETOOL_TRY(x, parse_octets(jwk, "x"));
    return crypto::Ed25519Octets{std::move(x)};
}

Result<crypto::PublicNumbers> parse_numbers(const Json& jwk)
{
    ACMETOOL_TRY(type, base::required_string(jwk, "kty", "jwk"));
    if (type == "EC") return parse_ec(jwk);
    if (type == "RSA") return parse_rsa(jwk);
    if (type == "OKP") return parse_okp(jwk);
    return fail(Errc::bad_input, fmt::format("jwk: unsupported key type \"{}\"", type));
}

Json members_of(const crypto::EcPoint& point)
{
    const auto* const curve =
        std::find_if(kCurves.begin(), kCurves.end(), [&](const auto& one) { return one.type == point.type; });
    return Json{{"crv", curve->jwk},
                {"kty", "EC"},
                {"x", base::to_base64url(point.x)},
                {"y", base::to_base64url(point.y)}};
}

Json members_of(const crypto::RsaNumbers& numbers)
{
    return Json{{"e", base::to_base64url(numbers.exponent)},
                {"kty", "RSA"},
                {"n", base::to_base64url(numbers.modulus)}};
}

Json members_of(const crypto::Ed25519Octets& octets)
{
    return Json{{"crv", "Ed25519"}, {"kty", "OKP"}, {"x", base::to_base64url(octets.value)}};
}

} // namespace

Result<Json> to_jwk(const crypto::Key& key)
{
    if (const auto numbers = crypto::public_numbers(key))
        return std::visit([](const auto& each) { return members_of(each); }, *numbers);
    return fail(Errc::config, "ACME accounts do not use keys of this type",
                "use ec:P-256, ec:P-384, ec:P-521, rsa:2048 and up, or ed25519");
}

Result<crypto::Key> parse_jwk(const Json& jwk)
{
    if (!jwk.is_object()) return fail(Errc::bad_input, "jwk: not an object");
    if (jwk.contains("d") || jwk.contains("k")) return fail(Errc::bad_input, "jwk: contains a private key");
    ACMETOOL_TRY(numbers, parse_numbers(jwk));
    auto key = crypto::make_public_key(numbers);
    return key ? std::move(key) : fail(with_context(std::move(key).error(), "jwk"));
}

Result<std::string> thumbprint(const crypto::Key& key)
{
    // The members of to_jwk() are just those RFC 7638 section 3.2 requires, and nlohmann's object keeps them
    // in lexicographic order: its compact text is the canonical form.
    ACMETOOL_TRY(jwk, to_jwk(key));
    return base::to_base64url(crypto::sha256(as_bytes(jwk.dump())));
}

} // namespace acmetool::jose
