#include "jose/jws.h"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/base64url.h"
#include "crypto/key_size.h"
#include "crypto/key_type.h"
#include "crypto/signature.h"

namespace acmetool::jose
{
namespace
{

using base::Json;

struct Algorithm {
    std::string_view name;            ///< RFC 7518 section 3.1, RFC 8037 section 3.1
    std::optional<crypto::Hash> hash; ///< nothing: the algorithm hashes by itself
    std::size_t coordinate;           ///< octets of R and of S; 0 if the signature is not an ECDSA pair
};

std::optional<Algorithm> find_algorithm(const crypto::Key& key)
{
    const auto type = key.type();
    if (type == "ec:P-256") return Algorithm{"ES256", crypto::Hash::sha256, 32};
    if (type == "ec:P-384") return Algorithm{"ES384", crypto::Hash::sha384, 48};
    if (type == "ec:P-521") return Algorithm{"ES512", crypto::Hash::sha512, 66};
    if (type == "ed25519") return Algorithm{"EdDSA", std::nullopt, 0};
    if (type.starts_with("rsa:")) return Algorithm{"RS256", crypto::Hash::sha256, 0};
    return std::nullopt;
}

} // namespace

Result<std::string> algorithm_of(const crypto::Key& key)
{
    if (const auto algorithm = find_algorithm(key)) return std::string{algorithm->name};
    return fail(Errc::config,
                fmt::format("JWS in ACME does not use keys of type {}", crypto::name_of_key(key)),
                "use ec:P-256, ec:P-384, ec:P-521, rsa:2048 and up, or ed25519");
}

Result<std::string> sign(const crypto::Key& key, Json header, std::string_view payload)
{
    ACMETOOL_TRY(name, algorithm_of(key));
    const auto algorithm = *find_algorithm(key);
    header["alg"] = name;
    const std::string protected_header = base::to_base64url(as_bytes(header.dump()));
    const std::string body = base::to_base64url(as_bytes(payload));
    const std::string input = protected_header + "." + body;

    auto signature = crypto::make_signature(key, algorithm.hash, as_bytes(input));
    if (signature && algorithm.coordinate != 0)
        signature = crypto::ecdsa_pair(*signature, algorithm.coordinate);
    if (!signature) return fail(with_context(std::move(signature).error(), "account key"));
    return Json{
        {"protected", protected_header}, {"payload", body}, {"signature", base::to_base64url(*signature)}}
        .dump();
}

Result<Jws> parse_jws(std::string_view text)
{
    ACMETOOL_TRY(object, base::parse_json_object(text, "JWS"));
    for (const auto& [name, value] : object.items())
        if (name != "protected" && name != "payload" && name != "signature")
            return fail(Errc::bad_input, fmt::format("JWS: unexpected member \"{}\"", base::to_text(name)));
    ACMETOOL_TRY(protected_header, base::required_string(object, "protected", "JWS"));
    ACMETOOL_TRY(payload, base::required_string(object, "payload", "JWS"));
    ACMETOOL_TRY(signature, base::required_string(object, "signature", "JWS"));
    ACMETOOL_TRY(header_bytes, base::parse_base64url(protected_header));
    Jws jws;
    ACMETOOL_TRY(header, base::parse_json_object(as_text(header_bytes), "JWS header"));
    if (header.contains("b64") || header.contains("crit"))
        return fail(Errc::bad_input, "JWS: \"b64\" and \"crit\" are not supported");
    jws.header = std::make_shared<const Json>(std::move(header));
    ACMETOOL_TRY(payload_bytes, base::parse_base64url(payload));
    jws.payload = std::move(payload_bytes);
    ACMETOOL_TRY(signature_bytes, base::parse_base64url(signature));
    jws.signature = std::move(signature_bytes);
    jws.signing_input = protected_header + "." + payload;
    return jws;
}

Result<void> verify(const Jws& jws, const crypto::Key& key)
{
    const auto algorithm = find_algorithm(key);
    if (!algorithm || base::string_member(*jws.header, "alg") != algorithm->name)
        return fail(Errc::bad_input, "JWS: \"alg\" does not match the key");
    ACMETOOL_CHECK(crypto::check_key_size(key));
    Bytes signature = jws.signature;
    if (algorithm->coordinate != 0) {
        if (signature.size() != 2 * algorithm->coordinate)
            return fail(Errc::bad_input, "JWS: the signature has the wrong length");
        signature = crypto::ecdsa_der(signature);
    }
    const auto good = crypto::check_signature(key, algorithm->hash, as_bytes(jws.signing_input), signature);
    return good ? good : fail(with_context(good.error(), "JWS"));
}

} // namespace acmetool::jose
