#include <doctest/doctest.h>

#include <algorithm>

#include <openssl/cms.h>

#include "certificates.h"
#include "crypto/cms.h"
#include "crypto/openssl.h"

using namespace acmetool;

TEST_CASE(
    "ESTS-10a, ESTS-13a: a certs-only message keeps certificates and their order, and holds nothing else")
{
    std::vector<crypto::Certificate> three;
    for (const auto* name : {"c", "a", "b"})
        three.push_back(test::make_identity(name).certificate);
    const auto message = crypto::to_certs_only(three);
    REQUIRE(message);
    const auto found = crypto::parse_certs_only(*message);
    REQUIRE(found);
    REQUIRE(found->size() == 3);
    for (std::size_t i = 0; i < 3; ++i)
        CHECK((*found)[i].der() == three[i].der());
    const auto data = crypto::parse_signed_data(*message);
    REQUIRE(data);
    CHECK(data->content_type == "1.2.840.113549.1.7.1");
    CHECK(data->content.empty());
    CHECK(data->signers == 0);
    CHECK_FALSE(crypto::verify_signed_data(*data));
}

TEST_CASE("ESTC-07a: what is no certs-only message is refused, a bare certificate taken")
{
    const auto one = test::make_identity("one").certificate;
    const auto bare = crypto::parse_certs_only(one.der());
    REQUIRE(bare);
    CHECK(bare->front().der() == one.der());

    auto message = *crypto::to_certs_only({one});
    for (std::size_t size = 0; size < message.size(); ++size) {
        CAPTURE(size);
        CHECK_FALSE(crypto::parse_certs_only(ByteView{message}.first(size)));
    }
    message.push_back(0);
    CHECK_FALSE(crypto::parse_certs_only(message));
    const auto refused = crypto::parse_certs_only(*crypto::to_certs_only({}));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::protocol);
    CHECK(refused.error().reason.word() == "notCertsOnly");
    CHECK_FALSE(crypto::parse_certs_only(Bytes(crypto::kLargestCms + 1, 0x30)));
}

TEST_CASE("ESTC-08a: 100 certificates are read, 101 are not")
{
    const auto key = test::make_identity("many");
    std::vector<crypto::Certificate> many;
    while (many.size() < 101) {
        X509* copy = X509_dup(key.certificate.get());
        ASN1_INTEGER_set(X509_get_serialNumber(copy), static_cast<long>(many.size()) + 1);
        X509_sign(copy, key.key.get(), EVP_sha256());
        many.push_back(crypto::Certificate::adopt(copy));
    }
    CHECK_FALSE(crypto::parse_certs_only(*crypto::to_certs_only(many)));
    many.pop_back();
    const auto found = crypto::parse_certs_only(*crypto::to_certs_only(many));
    REQUIRE(found);
    CHECK(found->size() == 100);
}

TEST_CASE("ESTC-21b: signed content comes back, and a changed octet is seen")
{
    for (const auto* type : {"ec:P-256", "ec:P-384", "rsa:2048"}) {
        CAPTURE(type);
        const auto signer = test::make_identity("ra", {}, type);
        const auto other = test::make_identity("ca");
        const std::string content = "content";
        auto message = crypto::sign_data(signer.key, signer.certificate,
                                         {.content_type = "1.2.840.113549.1.9.16.1.40",
                                          .content = {content.begin(), content.end()},
                                          .certificates = {other.certificate, signer.certificate}});
        REQUIRE(message);
        const auto data = crypto::parse_signed_data(*message);
        REQUIRE(data);
        CHECK(data->content_type == "1.2.840.113549.1.9.16.1.40");
        CHECK(as_text(data->content) == content);
        CHECK(data->certificates.size() == 2);
        CHECK(data->signers == 1);
        const auto signers = crypto::verify_signed_data(*data);
        REQUIRE(signers);
        REQUIRE(signers->size() == 1);
        CHECK(signers->front().der() == signer.certificate.der());
        CHECK(crypto::verify_signed_data(*data)); // once more: nothing was used up

        const auto at = std::search(message->begin(), message->end(), content.begin(), content.end());
        REQUIRE(at != message->end());
        *at ^= 1;
        const auto changed = crypto::parse_signed_data(*message);
        REQUIRE(changed);
        const auto refused = crypto::verify_signed_data(*changed);
        REQUIRE_FALSE(refused);
        CHECK(refused.error().reason.word() == "cmsSignature");
        CHECK_FALSE(crypto::sign_data(other.key, signer.certificate,
                                      {.content_type = "1.2.3.4", .content = {}, .certificates = {}}));
    }
}

TEST_CASE("SEC-18: a message that was signed with MD5 or SHA-1 is refused")
{
    const auto signer = test::make_identity("signer", {}, "rsa:2048");
    const auto verified = [&](const EVP_MD* digest) {
        const crypto::Owned<CMS_ContentInfo, CMS_ContentInfo_free> message{
            CMS_sign(nullptr, nullptr, nullptr, nullptr, CMS_PARTIAL | CMS_BINARY)};
        REQUIRE(CMS_add1_signer(message.get(), signer.certificate.get(), signer.key.get(), digest,
                                CMS_BINARY) != nullptr);
        const auto content = crypto::memory_bio("content");
        REQUIRE(CMS_final(message.get(), content.get(), nullptr, CMS_BINARY) == 1);
        unsigned char* der = nullptr;
        const int size = i2d_CMS_ContentInfo(message.get(), &der);
        const crypto::OpensslMemory owned{der};
        const auto data = crypto::parse_signed_data({der, static_cast<std::size_t>(size)});
        REQUIRE(data);
        const auto signers = crypto::verify_signed_data(*data);
        return signers ? std::string{"good"} : signers.error().message;
    };
    CHECK(verified(EVP_sha256()) == "good");
    CHECK(verified(EVP_sha1()).find("the signature's digest: sha1 is too weak") != std::string::npos);
    CHECK(verified(EVP_md5()).find("the signature's digest: md5 is too weak") != std::string::npos);
}
