#include <doctest/doctest.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "crypto/csr.h"
#include "crypto/openssl.h"
#include "crypto/request_info.h"
#include "odd_keys.h"

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

TEST_CASE("INT-13a: requests that differ in the challengePassword and the signature alone have one digest")
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

TEST_CASE("INT-13a: SubjectPublicKeyInfo is what OpenSSL encodes, for every kind of key")
{
    for (const auto* type : {"ec:P-256", "ec:P-384", "rsa:2048", "ed25519"}) {
        const auto key = *crypto::generate_key(type);
        CHECK_MESSAGE(key.spki() == encoded_by_openssl(key), type);
        const auto parsed = crypto::parse_csr(as_text(request(key, {}).der));
        CHECK_MESSAGE(parsed->key.spki() == encoded_by_openssl(key), type);
    }
}

TEST_CASE("SEC-19: a key has one canonical form, however its point and its curve are encoded")
{
    for (const auto* type : {"ec:P-256", "ec:P-384", "ec:P-521"}) {
        const auto key = *crypto::generate_key(type);
        const auto other = *crypto::generate_key(type);
        const auto hybrid = test::with_encoding(key, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
                                                OSSL_PKEY_EC_POINT_CONVERSION_FORMAT_HYBRID);
        for (const auto& form : {test::compressed(key), hybrid, test::with_explicit_curve(key),
                                 test::compressed(test::with_explicit_curve(key))}) {
            CHECK(form.encoded_spki() == encoded_by_openssl(form));
            CHECK(form.encoded_spki() != key.encoded_spki());
            const auto received = crypto::parse_csr(as_text(request(form, {}).der));
            REQUIRE(received);
            if (!form.has_explicit_curve()) CHECK(received->key.encoded_spki() == form.encoded_spki());
            for (const auto& each : {form, received->key}) {
                CHECK(each.spki() == key.spki());
                CHECK(each.spki_sha256() == key.spki_sha256());
                CHECK(each.same_public_key(key));
                CHECK(key.same_public_key(each));
                CHECK_FALSE(each.same_public_key(other));
                CHECK(each.has_explicit_curve() == (each.type() == "other"));
            }
        }
        CHECK(test::compressed(key).type() == type);
        CHECK(test::with_explicit_curve(key).has_explicit_curve());
    }
    CHECK_FALSE(crypto::generate_key("rsa:2048")->has_explicit_curve());
    // A curve that we do not create, as a manufacturer's CA may have.
    EVP_PKEY* const made = EVP_EC_gen("brainpoolP256r1");
    REQUIRE(made != nullptr);
    const auto brainpool = crypto::Key::adopt(made);
    CHECK(test::compressed(brainpool).spki() == brainpool.spki());
}
