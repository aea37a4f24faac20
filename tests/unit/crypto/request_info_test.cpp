#include <doctest/doctest.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "crypto/csr.h"
#include "crypto/openssl.h"
#include "crypto/request_info.h"

using namespace acmetool;

namespace
{

crypto::Csr request(const crypto::Key& key, std::optional<std::string> password,
                    const std::string& name = "a.example.com")
{
    crypto::CsrOptions options;
    options.identifiers = {{"dns", name}};
    options.challenge_password = std::move(password);
    return *crypto::build_csr(key, options);
}

Bytes encoded_by_openssl(const crypto::Key& key)
{
    unsigned char* out = nullptr;
    const int size = i2d_PUBKEY(key.get(), &out);
    const crypto::OpensslMemory owned{out};
    return {out, out + size};
}

} // namespace

TEST_CASE("INT-16: requests that differ in the challengePassword and the signature alone have one digest")
{
    const auto key = *crypto::generate_key("ec:P-256");
    const auto digest = crypto::info_digest(request(key, {}));
    REQUIRE(digest.has_value());
    CHECK(*crypto::info_digest(request(key, "first")) == *digest);
    CHECK(*crypto::info_digest(request(key, "another, and longer")) == *digest);
    CHECK(*crypto::info_digest(request(key, {}, "b.example.com")) != *digest);
    CHECK(*crypto::info_digest(request(*crypto::generate_key("ec:P-256"), {})) != *digest);
    crypto::Csr cut = request(key, {});
    cut.der.pop_back();
    CHECK_FALSE(crypto::info_digest(cut).has_value());
    CHECK_FALSE(crypto::info_digest(crypto::Csr{}).has_value());
}

TEST_CASE("INT-16: SubjectPublicKeyInfo is what OpenSSL encodes, for every kind of key")
{
    for (const auto* type : {"ec:P-256", "ec:P-384", "rsa:2048", "ed25519"}) {
        const auto key = *crypto::generate_key(type);
        CHECK_MESSAGE(key.spki() == encoded_by_openssl(key), type);
        const auto parsed = crypto::parse_csr(as_text(request(key, {}).der));
        CHECK_MESSAGE(parsed->key.spki() == encoded_by_openssl(key), type);
    }
    const auto odd = [](const char* parameter, const char* value) {
        EVP_PKEY* pkey = EVP_EC_gen("P-256");
        REQUIRE(EVP_PKEY_set_utf8_string_param(pkey, parameter, value) == 1);
        return crypto::Key::adopt(pkey);
    };
    const auto compressed =
        odd(OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, OSSL_PKEY_EC_POINT_CONVERSION_FORMAT_COMPRESSED);
    CHECK(compressed.spki().size() == 59);
    CHECK(compressed.spki() == encoded_by_openssl(compressed));
    const auto explicit_curve = odd(OSSL_PKEY_PARAM_EC_ENCODING, OSSL_PKEY_EC_ENCODING_EXPLICIT);
    CHECK(explicit_curve.spki().size() > 200);
    CHECK(explicit_curve.spki() == encoded_by_openssl(explicit_curve));
}
