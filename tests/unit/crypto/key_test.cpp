#include <doctest/doctest.h>

#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>

#include "certificates.h"
#include "crypto/cms.h"
#include "crypto/key_size.h"
#include "crypto/openssl.h"
#include "jose/jws.h"
#include "large_key.h"

using namespace acmetool;
using namespace acmetool::test;

TEST_CASE("SEC-17: keys are taken up to 4096 bits, exponents up to 64")
{
    for (const auto* type : {"ec:P-256", "ec:P-521", "rsa:2048", "ed25519"})
        CHECK(crypto::check_key_size(*crypto::generate_key(type)).has_value());
    CHECK(crypto::check_key_size(public_rsa(4096)).has_value());
    CHECK(crypto::check_key_size(public_rsa(4096, 64)).has_value());
    for (const auto& large :
         {public_rsa(4097), public_rsa(16384), public_rsa(2048, 65), public_rsa(2048, 2048)}) {
        const auto refused = crypto::check_key_size(large);
        REQUIRE_FALSE(refused);
        CHECK(refused.error().code == Errc::bad_input);
        CHECK(refused.error().reason.word() == "keyTooLarge");
    }
}

TEST_CASE("SEC-10: two keys that could not be read are not the same key")
{
    const auto key = *crypto::generate_key("ec:P-256");
    const auto none = crypto::Key::adopt(nullptr);
    CHECK(key.same_public_key(key));
    CHECK_FALSE(key.same_public_key(none));
    CHECK_FALSE(none.same_public_key(key));
    CHECK_FALSE(none.same_public_key(crypto::Key::adopt(nullptr)));
}

TEST_CASE("SEC-17: a request's key is measured before its signature is verified")
{
    const crypto::ReqPtr request{X509_REQ_new()};
    X509_REQ_set_pubkey(request.get(), public_rsa(8192).get());
    X509_REQ_sign(request.get(), crypto::generate_key("ec:P-256")->get(), EVP_sha256());
    unsigned char* out = nullptr;
    const int size = i2d_X509_REQ(request.get(), &out);
    const crypto::OpensslMemory owned{out};
    const auto refused =
        crypto::parse_csr({reinterpret_cast<const char*>(out), static_cast<std::size_t>(size)});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().reason.word() == "keyTooLarge");
}

TEST_CASE("SEC-17: a CMS signer's key is measured before the signature is verified")
{
    const auto honest = make_identity("signer");
    const auto message =
        *crypto::sign_data(honest.key, honest.certificate, {"1.2.840.113549.1.7.1", {1, 2, 3}, {}});
    CHECK(crypto::verify_signed_data(*crypto::parse_signed_data(message)).has_value());
    // The same name and number, and a key that takes long: a stranger says whose certificate it is.
    X509* const swapped = X509_dup(honest.certificate.get());
    X509_set_pubkey(swapped, public_rsa(16384).get());
    X509_sign(swapped, honest.key.get(), EVP_sha256());
    auto forged = *crypto::parse_signed_data(message);
    forged.certificates = {crypto::Certificate::adopt(swapped)};
    const auto refused = crypto::verify_signed_data(forged);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().message.find("too large") != std::string::npos);
}
