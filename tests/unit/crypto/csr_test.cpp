#include <doctest/doctest.h>

#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/octets.h"
#include "crypto/csr.h"
#include "crypto/der.h"
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

TEST_CASE("CSR-08a: one challengePassword is read as it is, two are never equal to any binding")
{
    CHECK_FALSE(crypto::parse_csr(request_with({}))->challenge_password);
    CHECK(crypto::parse_csr(request_with({"YmluZGluZw=="}))->challenge_password == "YmluZGluZw==");
    CHECK(crypto::parse_csr(request_with({"YmluZGluZw==", "b3RoZXI="}))->challenge_password == "");
}

TEST_CASE("SEC-21: a request in BER is refused, in DER and in PEM")
{
    const auto key = *crypto::generate_key("ec:P-256");
    const auto good = crypto::build_csr(key, {.identifiers = {{"dns", "a.example"}}})->der;
    CHECK(crypto::parse_csr(as_text(good))->der == good);
    const auto refused = [](const Bytes& octets) {
        const crypto::BioPtr bio{BIO_new(BIO_s_mem())};
        PEM_write_bio(bio.get(), "CERTIFICATE REQUEST", "", octets.data(), static_cast<long>(octets.size()));
        const auto csr = crypto::parse_csr(as_text(octets));
        const auto pem = crypto::parse_csr(crypto::contents(bio.get()));
        REQUIRE_FALSE(csr);
        REQUIRE_FALSE(pem);
        CHECK(csr.error().code == Errc::bad_input);
        CHECK(csr.error().message == pem.error().message);
        return std::string{csr.error().reason.word()};
    };
    const auto outer = crypto::der::Reader{good}.next("the request")->value;
    // The indefinite form, outside and around the part that is signed.
    const auto indefinite = [](ByteView content) {
        Bytes octets{crypto::der::kSequence, 0x80};
        base::append(octets, content);
        octets.insert(octets.end(), {0, 0});
        return octets;
    };
    CHECK(refused(indefinite(outer)) == "notDer");
    crypto::der::Reader parts{outer};
    const auto info = *parts.next("the information");
    Bytes content = indefinite(info.value);
    base::append(content, outer.subspan(info.whole.size()));
    CHECK_FALSE(refused(crypto::der::element(crypto::der::kSequence, content)).empty());
    // A length in more octets than it needs.
    Bytes longer{crypto::der::kSequence, 0x82, 0};
    base::append(longer, ByteView{good}.subspan(2, 1));
    base::append(longer, outer);
    REQUIRE(good[1] == 0x81);
    CHECK(refused(longer) == "notDer");
}

TEST_CASE("SEC-21: what is not in the distinguished encoding")
{
    namespace der = crypto::der;
    for (const auto& good : {Bytes{0x30, 0}, Bytes{0x30, 3, 1, 1, 0xff}, Bytes{2, 1, 0}, Bytes{2, 2, 0, 0x80},
                             Bytes{2, 1, 0xff}, Bytes{0x31, 4, 0xa0, 2, 5, 0}, Bytes{4, 2, 0x30, 0x80}})
        CHECK(der::check_der(good).has_value());
    for (const auto& bad :
         {Bytes{}, Bytes{0x30}, Bytes{0x30, 0, 0}, Bytes{0x30, 0x80, 0, 0}, Bytes{0x30, 0x81, 0},
          Bytes{0x30, 3, 1, 1, 1}, Bytes{0x30, 2, 1, 0}, Bytes{2, 0}, Bytes{2, 2, 0, 1},
          Bytes{2, 2, 0xff, 0x80}, Bytes{0x24, 3, 4, 1, 1}, Bytes{0x10, 0}, Bytes{0x2c, 3, 0x0c, 1, 'a'}})
        CHECK_FALSE(der::check_der(bad).has_value());
    Bytes deep{5, 0};
    for (int i = 0; i < 40; ++i)
        deep = der::element(der::kSequence, deep);
    CHECK_FALSE(der::check_der(deep).has_value());
}
