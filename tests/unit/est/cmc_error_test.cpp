#include <doctest/doctest.h>

#include "../crypto/certificates.h"
#include "crypto/cms.h"
#include "crypto/der.h"
#include "est/cmc_error.h"
#include "est/codec.h"

using namespace acmetool;
using est::CmcFailInfo;
namespace der = crypto::der;

namespace
{

Bytes bytes_of(const std::string& text)
{
    return {text.begin(), text.end()};
}

/// The content of `message` without CMS around it.
Bytes content_of(const Bytes& message)
{
    return crypto::parse_signed_data(message)->content;
}

Bytes status(const char* oid, const Bytes& value)
{
    const Bytes none = der::element(der::kSequence, ByteView{});
    const Bytes control =
        der::element(der::kSequence, {der::integer(1), *der::oid(oid), der::element(der::kSet, {value})});
    return der::element(der::kSequence, {der::element(der::kSequence, {control}), none, none});
}

} // namespace

TEST_CASE("ESTC-21b: the samples of a Full PKI Response are read, their signatures verify")
{
    struct Sample {
        const char* name;
        CmcFailInfo info;
        const char* text;
    };
    for (const auto& sample :
         {Sample{"badIdentity", CmcFailInfo::badIdentity, "identifier not under a controlled domain"},
          {"badRequest", CmcFailInfo::badRequest, "CSR rejected"},
          {"internalCAError", CmcFailInfo::internalCAError, "CA error"},
          {"popFailed", CmcFailInfo::popFailed, "tls-unique mismatch"}}) {
        CAPTURE(sample.name);
        const std::string base = std::string{"made/cmc-"} + sample.name;
        ACMETOOL_VECTOR(signed_der, base + ".der");
        ACMETOOL_VECTOR(base64, base + ".b64");
        ACMETOOL_VECTOR(content, base + ".econtent.der");
        ACMETOOL_VECTOR(signer, "made/cmc-signer.pem");
        const auto error = est::parse_cmc_error(as_bytes(signed_der));
        REQUIRE(error);
        CHECK(error->status == 2);
        CHECK(error->fail_info == sample.info);
        CHECK(est::name_of(*error->fail_info) == sample.name);
        CHECK(error->text == sample.text);
        CHECK(error->describe() == std::string{sample.name} + ": " + sample.text);
        CHECK(error->verified);
        REQUIRE(error->signer);
        CHECK(error->signer->der() == crypto::parse_certificates(signer, "signer")->front().der());
        CHECK(est::parse_body(base64)->der == bytes_of(signed_der));

        const auto bare = est::parse_cmc_error(as_bytes(content));
        REQUIRE(bare);
        CHECK(bare->fail_info == sample.info);
        CHECK_FALSE(bare->verified);

        const auto ours = test::make_identity("ra");
        const auto made = est::to_cmc_error(sample.info, sample.text, ours.key, ours.certificate);
        REQUIRE(made);
        CHECK(content_of(*made) == bytes_of(content)); // octet for octet
    }
}

TEST_CASE("ESTS-16c: an error that was signed here is read back; one that was changed is not verified")
{
    const auto ra = test::make_identity("ra");
    const auto ca = test::make_identity("ca");
    auto made =
        *est::to_cmc_error(CmcFailInfo::tryLater, "come back", ra.key, ra.certificate, {ca.certificate});
    CHECK(crypto::parse_signed_data(made)->certificates.size() == 2);
    CHECK(est::parse_cmc_error(made)->verified);
    made.back() ^= 1;
    const auto changed = est::parse_cmc_error(made);
    REQUIRE(changed);
    CHECK_FALSE(changed->verified);
    CHECK_FALSE(changed->signer);
    const auto silent = *est::to_cmc_error(CmcFailInfo::badAlg, "", ra.key, ra.certificate);
    CHECK(est::parse_cmc_error(silent)->describe() == "badAlg");
}

TEST_CASE("ESTC-21b: the old statusInfo, extended information, success first and unknown numbers")
{
    const Bytes body_list = der::element(der::kSequence, {der::integer(1)});
    const Bytes failed = der::element(der::kSequence, {der::integer(2), body_list, der::integer(99)});
    const auto old = est::parse_cmc_error(status("1.3.6.1.5.5.7.7.1", failed));
    REQUIRE(old);
    CHECK(old->describe() == "failInfo 99");
    const Bytes extended = der::element(
        der::kSequence, {der::integer(4), body_list, der::element(der::kUtf8String, as_bytes("no")),
                         der::element(der::kSequence, {*der::oid("1.2.3.4")})});
    const auto other = est::parse_cmc_error(status("1.3.6.1.5.5.7.7.25", extended));
    REQUIRE(other);
    CHECK_FALSE(other->fail_info);
    CHECK(other->describe() == "CMC status 4: no");
    const auto refused = est::parse_cmc_error(status("1.3.6.1.5.5.7.7.2", failed));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().reason.word() == "notCmc");
    CHECK(refused.error().message == "not a CMC response: no status in the response");
}

TEST_CASE("ESTC-21b: what is no CMC response is refused at every length")
{
    const auto ra = test::make_identity("ra");
    const auto made = *est::to_cmc_error(CmcFailInfo::badRequest, "no", ra.key, ra.certificate);
    const auto content = content_of(made);
    for (const auto& whole : {made, content})
        for (std::size_t size = 0; size < whole.size(); ++size) {
            const auto refused = est::parse_cmc_error(ByteView{whole}.first(size));
            REQUIRE_FALSE(refused);
            CHECK(refused.error().code == Errc::protocol);
        }
    CHECK_FALSE(est::parse_cmc_error(*crypto::to_certs_only({ra.certificate})));
    CHECK_FALSE(est::parse_cmc_error(Bytes(crypto::kLargestCms + 1, 0x30)));
}

TEST_CASE("ESTC-21b: the names are those of RFC 5272 section 6.1.4")
{
    CHECK(est::name_of(CmcFailInfo::badAlg) == "badAlg");
    CHECK(est::name_of(static_cast<CmcFailInfo>(6)) == "mustArchiveKeys");
    CHECK(est::name_of(static_cast<CmcFailInfo>(8)) == "popRequired");
    CHECK(est::name_of(static_cast<CmcFailInfo>(13)) == "authDataFail");
    CHECK(est::name_of(static_cast<CmcFailInfo>(14)) == "failInfo 14");
}
