#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include <openssl/decoder.h>
#include <openssl/dsa.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/bytes.h"
#include "certificates.h"
#include "crypto/cert.h"
#include "crypto/certificate_context.h"
#include "crypto/cms.h"
#include "crypto/openssl.h"

using namespace acmetool;

namespace
{

std::string der_of(const crypto::Certificate& certificate)
{
    const auto der = certificate.der();
    return {der.begin(), der.end()};
}

crypto::Certificate read(const crypto::Certificate& certificate)
{
    const auto found = crypto::parse_certificates(der_of(certificate), "here");
    REQUIRE(found.has_value());
    return found->front();
}

/// A certificate of a DSA key, which is signed by another key: DSA is not among the keys that are read
/// quickly.
crypto::Certificate with_dsa_key()
{
    EVP_PKEY* parameters = nullptr;
    const crypto::PkeyCtxPtr generator{EVP_PKEY_CTX_new_from_name(nullptr, "DSA", nullptr)};
    REQUIRE(EVP_PKEY_paramgen_init(generator.get()) == 1);
    REQUIRE(EVP_PKEY_CTX_set_dsa_paramgen_bits(generator.get(), 1024) == 1);
    REQUIRE(EVP_PKEY_paramgen(generator.get(), &parameters) == 1);
    const crypto::PkeyPtr owned{parameters};
    const crypto::PkeyCtxPtr maker{EVP_PKEY_CTX_new_from_pkey(nullptr, parameters, nullptr)};
    EVP_PKEY* key = nullptr;
    REQUIRE(EVP_PKEY_keygen_init(maker.get()) == 1);
    REQUIRE(EVP_PKEY_keygen(maker.get(), &key) == 1);
    const auto dsa = crypto::Key::adopt(key);
    const auto made = test::make_identity("dsa");
    X509_set_pubkey(made.certificate.get(), dsa.get());
    X509_sign(made.certificate.get(), made.key.get(), EVP_sha256());
    return made.certificate;
}

int count(OSSL_LIB_CTX* context)
{
    int found = 0;
    OSSL_DECODER_do_all_provided(
        context, [](OSSL_DECODER*, void* number) { ++*static_cast<int*>(number); }, &found);
    return found;
}

} // namespace

TEST_CASE("certificates are read with the decoders of their keys alone")
{
    REQUIRE(crypto::certificate_context() != nullptr);
    CHECK(count(crypto::certificate_context()) == 5);
    CHECK(count(nullptr) > 30);
}

TEST_CASE("a key read from a certificate is that which OpenSSL reads, and works in both contexts")
{
    for (const auto* type : {"ec:P-256", "ec:P-384", "ec:P-521", "rsa:2048", "ed25519"}) {
        CAPTURE(type);
        const auto made = test::make_identity("one", {}, type);
        const auto found = read(made.certificate);
        CHECK(found.public_key().same_public_key(made.key));
        CHECK(found.public_key().encoded_spki() == made.key.encoded_spki());
        CHECK(X509_check_private_key(found.get(), made.key.get()) == 1);
        // The signature, by each of both keys over each of both certificates.
        const auto key = found.public_key();
        CHECK(X509_verify(made.certificate.get(), key.get()) == 1);
        CHECK(X509_verify(found.get(), made.key.get()) == 1);
        CHECK(X509_verify(found.get(), key.get()) == 1);
        // What is signed in the default context verifies with the key that was read here.
        const std::string text = "text";
        unsigned char signature[1024];
        std::size_t size = sizeof signature;
        const auto* const digest = type == std::string{"ed25519"} ? nullptr : EVP_sha256();
        const auto* const octets = reinterpret_cast<const unsigned char*>(text.data());
        const crypto::MdCtxPtr signing{EVP_MD_CTX_new()};
        REQUIRE(EVP_DigestSignInit(signing.get(), nullptr, digest, nullptr, made.key.get()) == 1);
        REQUIRE(EVP_DigestSign(signing.get(), signature, &size, octets, text.size()) == 1);
        const crypto::MdCtxPtr verifying{EVP_MD_CTX_new()};
        REQUIRE(EVP_DigestVerifyInit(verifying.get(), nullptr, digest, nullptr, key.get()) == 1);
        CHECK(EVP_DigestVerify(verifying.get(), signature, size, octets, text.size()) == 1);
        signature[size / 2] ^= 1;
        const crypto::MdCtxPtr again{EVP_MD_CTX_new()};
        REQUIRE(EVP_DigestVerifyInit(again.get(), nullptr, digest, nullptr, key.get()) == 1);
        CHECK(EVP_DigestVerify(again.get(), signature, size, octets, text.size()) != 1);
    }
}

TEST_CASE("a certificate with another type of key is read as before, alone and in a message")
{
    const auto dsa = with_dsa_key();
    const auto found = read(dsa);
    CHECK(EVP_PKEY_is_a(found.public_key().get(), "DSA") == 1);
    const auto usual = test::make_identity("usual");
    const auto message = crypto::to_certs_only({usual.certificate, dsa});
    REQUIRE(message.has_value());
    const auto both = crypto::parse_certs_only(*message);
    REQUIRE(both.has_value());
    REQUIRE(both->size() == 2);
    for (const auto& one : *both)
        CHECK(X509_get0_pubkey(one.get()) != nullptr);
}

TEST_CASE("a certificate whose key cannot be read is refused with words of its own")
{
    const auto made = test::make_identity("broken");
    auto der = made.certificate.der();
    const auto point = made.key.encoded_spki();
    const auto at = std::search(der.begin(), der.end(), point.end() - 64, point.end());
    REQUIRE(at != der.end());
    at[10] ^= 1; // not on the curve
    X509* x509 = nullptr;
    const auto* data = der.data();
    d2i_X509(&x509, &data, static_cast<long>(der.size()));
    REQUIRE(x509 != nullptr);
    const auto broken = crypto::Certificate::adopt(x509);
    const auto found = crypto::parse_certificates(broken.to_pem(), "here");
    REQUIRE_FALSE(found.has_value());
    CHECK(found.error().message.find("public key cannot be read") != std::string::npos);
}
