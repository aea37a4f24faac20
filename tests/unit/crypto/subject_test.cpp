#include <doctest/doctest.h>

#include "certificates.h"
#include "crypto/alternative_name.h"
#include "crypto/certificate_builder.h"
#include "crypto/subject.h"

using namespace acmetool;

TEST_CASE("attributes of a subject are found by name and by object identifier")
{
    const auto certificate = test::make_identity("device", "SN-1").certificate;
    using Values = std::vector<std::optional<std::string>>;
    CHECK(crypto::subject_values(certificate, "serialNumber") == Values{"SN-1"});
    CHECK(crypto::subject_values(certificate, "2.5.4.5") == Values{"SN-1"});
    CHECK(crypto::subject_values(certificate, "commonName") == Values{"device"});
    CHECK(crypto::subject_values(certificate, "organizationName").empty());
    CHECK(crypto::subject_values(certificate, "nonsense").empty());
}

TEST_CASE("attribute types have names")
{
    CHECK(crypto::is_attribute_type("serialNumber"));
    CHECK(crypto::is_attribute_type("1.2.3.4"));
    CHECK_FALSE(crypto::is_attribute_type("nonsense"));
    CHECK(crypto::short_name("2.5.4.3") == "CN");
    CHECK(crypto::short_name("1.2.3.4") == "1.2.3.4");
}

TEST_CASE("other names of the wanted type are taken as DER")
{
    crypto::CertificateProfile profile;
    profile.common_name = "device";
    profile.extensions = {
        {"subjectAltName", "DNS:a.example,otherName:1.2.3.4;UTF8:x,otherName:1.2.3.5;UTF8:y"}};
    profile.not_before = base::now();
    profile.not_after = profile.not_before + std::chrono::hours{1};
    const auto key = *crypto::generate_key("ec:P-256");
    const auto certificate = *crypto::build_certificate(profile, key, nullptr, key);
    CHECK(crypto::other_names(certificate, "1.2.3.4") == std::vector<Bytes>{{0x0c, 0x01, 'x'}});
    CHECK(crypto::other_names(certificate, "1.2.3.6").empty());
    CHECK(crypto::other_names(test::make_identity("none").certificate, "1.2.3.4").empty());
}

TEST_CASE("an alternative name is written and read")
{
    const std::vector<crypto::Identifier> names{{"dns", "a.example"}, {"ip", "192.0.2.1"}};
    const auto der = crypto::encode_alternative_name(names);
    REQUIRE(der);
    CHECK(crypto::decode_alternative_name(*der) == names);
    CHECK(crypto::decode_alternative_name(Bytes{0x30, 0x05}).empty());
    CHECK_FALSE(crypto::encode_alternative_name({{"ip", "no address"}}));
}
