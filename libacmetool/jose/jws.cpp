#include "jose/jws.h"

#include <fmt/core.h>
#include <nlohmann/json.hpp>
#include <openssl/ecdsa.h>

#include "base/base64url.h"
#include "crypto/key_size.h"
#include "crypto/key_uri.h"
#include "crypto/openssl.h"

namespace acmetool::jose
{
namespace
{

using base::Json;
using SignaturePtr = crypto::Owned<ECDSA_SIG, ECDSA_SIG_free>;

struct Algorithm {
    std::string_view name;  ///< RFC 7518 section 3.1, RFC 8037 section 3.1
    const EVP_MD* digest;   ///< null: the algorithm hashes by itself
    std::size_t coordinate; ///< octets of R and of S; 0 if the signature is not an ECDSA pair
};

std::optional<Algorithm> find_algorithm(const crypto::Key& key)
{
    const auto type = key.type();
    if (type == "ec:P-256") return Algorithm{"ES256", EVP_sha256(), 32};
    if (type == "ec:P-384") return Algorithm{"ES384", EVP_sha384(), 48};
    if (type == "ec:P-521") return Algorithm{"ES512", EVP_sha512(), 66};
    if (type == "ed25519") return Algorithm{"EdDSA", nullptr, 0};
    if (type.starts_with("rsa:")) return Algorithm{"RS256", EVP_sha256(), 0};
    return std::nullopt;
}

Result<Bytes> der_to_pair(const Bytes& der, std::size_t coordinate)
{
    const unsigned char* data = der.data();
    const SignaturePtr pair{d2i_ECDSA_SIG(nullptr, &data, static_cast<long>(der.size()))};
    Bytes out(2 * coordinate);
    const int size = static_cast<int>(coordinate);
    if (!pair || BN_bn2binpad(ECDSA_SIG_get0_r(pair.get()), out.data(), size) != size ||
        BN_bn2binpad(ECDSA_SIG_get0_s(pair.get()), out.data() + coordinate, size) != size)
        return crypto::openssl_failure(Errc::internal, "encoding an ECDSA signature");
    return out;
}

Bytes pair_to_der(ByteView pair)
{
    const auto half = pair.size() / 2;
    const SignaturePtr signature{ECDSA_SIG_new()};
    crypto::BignumPtr r{BN_bin2bn(pair.data(), static_cast<int>(half), nullptr)};
    crypto::BignumPtr s{BN_bin2bn(pair.data() + half, static_cast<int>(half), nullptr)};
    if (!signature || !r || !s) return {};
    ECDSA_SIG_set0(signature.get(), r.release(), s.release());
    unsigned char* out = nullptr;
    const int size = i2d_ECDSA_SIG(signature.get(), &out);
    const crypto::OpensslMemory owned{out};
    return size > 0 ? Bytes(out, out + size) : Bytes{};
}

} // namespace

Result<std::string> algorithm_of(const crypto::Key& key)
{
    if (const auto algorithm = find_algorithm(key)) return std::string{algorithm->name};
    return fail(Errc::config, "JWS in ACME does not use keys of this type",
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

    const crypto::MdCtxPtr context{EVP_MD_CTX_new()};
    std::size_t size = 0;
    const auto* data = reinterpret_cast<const unsigned char*>(input.data());
    if (!context || crypto::start_signature(context.get(), algorithm.digest, key) != 1 ||
        EVP_DigestSign(context.get(), nullptr, &size, data, input.size()) != 1)
        return crypto::openssl_failure(Errc::config, "signing with the account key");
    Bytes signature(size);
    if (EVP_DigestSign(context.get(), signature.data(), &size, data, input.size()) != 1)
        return crypto::openssl_failure(Errc::config, "signing with the account key");
    signature.resize(size);
    if (algorithm.coordinate != 0) {
        ACMETOOL_TRY(pair, der_to_pair(signature, algorithm.coordinate));
        signature = std::move(pair);
    }
    return Json{
        {"protected", protected_header}, {"payload", body}, {"signature", base::to_base64url(signature)}}
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
        signature = pair_to_der(signature);
    }
    const crypto::MdCtxPtr context{EVP_MD_CTX_new()};
    if (!context ||
        EVP_DigestVerifyInit(context.get(), nullptr, algorithm->digest, nullptr, key.get()) != 1 ||
        EVP_DigestVerify(context.get(), signature.data(), signature.size(),
                         reinterpret_cast<const unsigned char*>(jws.signing_input.data()),
                         jws.signing_input.size()) != 1)
        return crypto::openssl_failure(Errc::bad_input, "JWS: the signature does not verify");
    return {};
}

} // namespace acmetool::jose
