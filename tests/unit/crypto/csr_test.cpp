#include <doctest/doctest.h>

#include <openssl/x509.h>

#include "crypto/csr.h"
#include "crypto/openssl.h"

using namespace acmetool;

namespace
{

/// A request whose challengePassword has these values, signed.
std::string request_with(const std::vector<std::string>& passwords)
{
    const auto key = *crypto::generate_key("ec:P-256");
    const auto plain = *crypto::build_csr(key, {.identifiers = {{"dns", "a.example"}}});
    const auto* data = plain.der.data();
    const crypto::ReqPtr request{d2i_X509_REQ(nullptr, &data, static_cast<long>(plain.der.size()))};
    for (const auto& password : passwords) {
        const auto* octets = reinterpret_cast<const unsigned char*>(password.data());
        const auto size = static_cast<int>(password.size());
        const int at = X509_REQ_get_attr_by_NID(request.get(), NID_pkcs9_challengePassword, -1);
        if (at < 0)
            X509_REQ_add1_attr_by_NID(request.get(), NID_pkcs9_challengePassword, MBSTRING_UTF8, octets,
                                      size);
        else
            X509_ATTRIBUTE_set1_data(X509_REQ_get_attr(request.get(), at), MBSTRING_UTF8, octets, size);
    }
    X509_REQ_sign(request.get(), key.get(), EVP_sha256());
    unsigned char* out = nullptr;
    const int size = i2d_X509_REQ(request.get(), &out);
    const crypto::OpensslMemory owned{out};
    return {reinterpret_cast<const char*>(out), static_cast<std::size_t>(size)};
}

} // namespace

TEST_CASE("CSR-08: one challengePassword is read as it is, two are never equal to any binding")
{
    CHECK_FALSE(crypto::parse_csr(request_with({}))->challenge_password);
    CHECK(crypto::parse_csr(request_with({"YmluZGluZw=="}))->challenge_password == "YmluZGluZw==");
    CHECK(crypto::parse_csr(request_with({"YmluZGluZw==", "b3RoZXI="}))->challenge_password == "");
}
