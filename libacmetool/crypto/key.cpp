#include "crypto/key.h"

#include <algorithm>
#include <string_view>

#include <fmt/core.h>
#include <openssl/core_names.h>
#include <openssl/decoder.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "base/text.h"
#include "crypto/digest.h"
#include "crypto/key_type.h"
#include "crypto/openssl.h"
#include "crypto/spki.h"

namespace acmetool::crypto
{
namespace
{

std::string curve_of(EVP_PKEY* pkey)
{
    char name[64] = {};
    std::size_t size = 0;
    if (EVP_PKEY_get_utf8_string_param(pkey, OSSL_PKEY_PARAM_GROUP_NAME, name, sizeof name, &size) != 1)
        return {};
    return {name, size};
}

/// True if an encoding parameter of an elliptic curve key has this value.
bool has_word(EVP_PKEY* pkey, const char* parameter, std::string_view word)
{
    char text[64] = {};
    return EVP_PKEY_get_utf8_string_param(pkey, parameter, text, sizeof text, nullptr) == 1 && word == text;
}

Bytes encode(EVP_PKEY* pkey)
{
    unsigned char* out = nullptr;
    const int size = i2d_PUBKEY(pkey, &out);
    const OpensslMemory owned{out};
    return size > 0 ? Bytes(out, out + size) : Bytes{};
}

/// A copy whose curve is encoded by its name and whose point is not compressed; null if the curve has no
/// name.
PkeyPtr with_usual_encoding(EVP_PKEY* pkey)
{
    if (curve_of(pkey).empty()) return nullptr;
    PkeyPtr copy{EVP_PKEY_dup(pkey)};
    const bool done = copy &&
                      EVP_PKEY_set_utf8_string_param(copy.get(), OSSL_PKEY_PARAM_EC_ENCODING,
                                                     OSSL_PKEY_EC_ENCODING_GROUP) == 1 &&
                      EVP_PKEY_set_utf8_string_param(copy.get(), OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
                                                     OSSL_PKEY_EC_POINT_CONVERSION_FORMAT_UNCOMPRESSED) == 1;
    ERR_clear_error();
    return done ? std::move(copy) : nullptr;
}

} // namespace

int give_passphrase(char* buffer, int size, int, void* context)
{
    const auto& passphrase = *static_cast<const base::Secret*>(context);
    const auto text = passphrase.reveal();
    if (text.empty() || text.size() > static_cast<std::size_t>(size)) return -1;
    std::copy(text.begin(), text.end(), buffer);
    return static_cast<int>(text.size());
}

Key Key::adopt(EVP_PKEY* pkey)
{
    Key key;
    key.pkey_.reset(pkey, EVP_PKEY_free);
    return key;
}

std::string Key::type() const
{
    if (EVP_PKEY_is_a(get(), "EC") == 1) {
        if (has_explicit_curve()) return "other";
        const auto curve = curve_of(get());
        if (curve == "prime256v1") return "ec:P-256";
        if (curve == "secp384r1") return "ec:P-384";
        if (curve == "secp521r1") return "ec:P-521";
        return "other";
    }
    if (EVP_PKEY_is_a(get(), "RSA") == 1) return fmt::format("rsa:{}", EVP_PKEY_get_bits(get()));
    if (EVP_PKEY_is_a(get(), "ED25519") == 1) return "ed25519";
    return "other";
}

std::string name_of_key(const Key& key)
{
    if (auto type = key.type(); type != "other") return type;
    if (key.has_explicit_curve()) return "ec with explicit curve parameters";
    if (EVP_PKEY_is_a(key.get(), "EC") == 1) return "ec:" + curve_of(key.get());
    const char* const algorithm = EVP_PKEY_get0_type_name(key.get());
    if (algorithm == nullptr) return "unknown";
    const bool has_sizes = EVP_PKEY_is_a(key.get(), "RSA-PSS") == 1 || EVP_PKEY_is_a(key.get(), "DSA") == 1;
    const auto name = base::to_lower(algorithm);
    return has_sizes ? fmt::format("{}:{}", name, EVP_PKEY_get_bits(key.get())) : name;
}

bool Key::has_explicit_curve() const
{
    const bool is_explicit = EVP_PKEY_is_a(get(), "EC") == 1 &&
                             has_word(get(), OSSL_PKEY_PARAM_EC_ENCODING, OSSL_PKEY_EC_ENCODING_EXPLICIT);
    ERR_clear_error();
    return is_explicit;
}

bool Key::has_private() const
{
    const bool found = EVP_PKEY_is_a(get(), "ED25519") == 1
                           ? [&] {
                                 std::size_t size = 0;
                                 return EVP_PKEY_get_raw_private_key(get(), nullptr, &size) == 1;
                             }()
                           : [&] {
                                 BIGNUM* number = nullptr;
                                 const char* name = EVP_PKEY_is_a(get(), "RSA") == 1 ? OSSL_PKEY_PARAM_RSA_D
                                                                                     : OSSL_PKEY_PARAM_PRIV_KEY;
                                 const bool there = EVP_PKEY_get_bn_param(get(), name, &number) == 1;
                                 BN_clear_free(number);
                                 return there;
                             }();
    static_cast<void>(openssl_failure(Errc::internal, {})); // absence is an answer, not a failure
    return found;
}

Bytes Key::spki() const
{
    if (auto known = usual_spki(*this); !known.empty()) return known;
    if (EVP_PKEY_is_a(get(), "EC") != 1) return encode(get());
    if (has_word(get(), OSSL_PKEY_PARAM_EC_ENCODING, OSSL_PKEY_EC_ENCODING_GROUP) &&
        has_word(get(), OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
                 OSSL_PKEY_EC_POINT_CONVERSION_FORMAT_UNCOMPRESSED))
        return encode(get());
    const auto usual = with_usual_encoding(get());
    return encode(usual ? usual.get() : get());
}

Bytes Key::encoded_spki() const
{
    return encode(get());
}

Bytes Key::spki_sha256() const
{
    return crypto::sha256(spki());
}

bool Key::same_public_key(const Key& other) const
{
    // OpenSSL finds two keys equal that could not be read.
    return get() != nullptr && EVP_PKEY_eq(get(), other.get()) == 1;
}

Result<base::Secret> Key::to_pem() const
{
    const BioPtr bio{BIO_new(BIO_s_secmem())};
    if (!bio || PEM_write_bio_PKCS8PrivateKey(bio.get(), get(), nullptr, nullptr, 0, nullptr, nullptr) != 1)
        return openssl_failure(Errc::internal, "writing a private key");
    return base::Secret{contents(bio.get())};
}

std::vector<std::string> key_types(std::string_view first)
{
    std::vector<std::string> types{"ec:P-256", "ec:P-384", "ec:P-521", "rsa:2048",
                                   "rsa:3072", "rsa:4096", "ed25519"};
    if (!first.empty()) types.insert(types.begin(), std::string{first});
    return types;
}

Result<void> check_key_type(std::string_view type)
{
    const auto types = key_types();
    if (std::find(types.begin(), types.end(), type) != types.end()) return {};
    return fail(Errc::usage, fmt::format("\"{}\" is not a key type", base::printable(type, 40)),
                "key types: " + base::join(types, ", "), "badKeyType");
}

Result<Key> generate_key(std::string_view type)
{
    ACMETOOL_CHECK(check_key_type(type));
    EVP_PKEY* pkey = nullptr;
    if (type == "ec:P-256" || type == "ec:P-384" || type == "ec:P-521")
        pkey = EVP_EC_gen(std::string{type.substr(3)}.c_str());
    else if (type == "rsa:2048" || type == "rsa:3072" || type == "rsa:4096")
        pkey = EVP_RSA_gen(type == "rsa:2048" ? 2048U : type == "rsa:3072" ? 3072U : 4096U);
    else
        pkey = EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
    if (pkey == nullptr) return openssl_failure(Errc::internal, fmt::format("generating a {} key", type));
    return Key::adopt(pkey);
}

Result<Key> parse_private_key(std::string_view text, std::string_view what, const base::Secret& passphrase)
{
    text = base::without_byte_order_mark(text);
    EVP_PKEY* pkey = nullptr;
    const Owned<OSSL_DECODER_CTX, OSSL_DECODER_CTX_free> decoder{
        OSSL_DECODER_CTX_new_for_pkey(&pkey, nullptr, nullptr, nullptr, EVP_PKEY_KEYPAIR, nullptr, nullptr)};
    if (!decoder) return openssl_failure(Errc::internal, "preparing to read a private key");
    OSSL_DECODER_CTX_set_pem_password_cb(decoder.get(), give_passphrase,
                                         const_cast<base::Secret*>(&passphrase));
    const auto* data = reinterpret_cast<const unsigned char*>(text.data());
    std::size_t size = text.size();
    const bool read = OSSL_DECODER_from_data(decoder.get(), &data, &size) == 1 && pkey != nullptr;
    if (read) return Key::adopt(pkey);
    EVP_PKEY_free(pkey);
    if (text.find("ENCRYPTED") != std::string_view::npos) {
        auto failure =
            openssl_failure(Errc::config,
                            passphrase.empty() ? fmt::format("{}: the private key is encrypted", what)
                                               : fmt::format("{}: wrong passphrase", what),
                            "give the correct passphrase in a file");
        failure.value().reason = Cause::encrypted_key;
        return failure;
    }
    return openssl_failure(Errc::config, fmt::format("{}: not a private key", what),
                           "expected PKCS#8, SEC1 or PKCS#1 in PEM or DER");
}

} // namespace acmetool::crypto
