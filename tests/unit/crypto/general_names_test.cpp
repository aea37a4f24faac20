#include <doctest/doctest.h>

#include "certificates.h"
#include "crypto/certificate_builder.h"

using namespace acmetool;

TEST_CASE("SEC-10: names of a certificate that are none are fit for a terminal, and equal no name that is "
          "asked for")
{
    const auto key = *crypto::generate_key("ec:P-256");
    crypto::CertificateProfile profile;
    profile.common_name = "device";
    // dNSName "a.example", "b\0.example." and "c\x1b[2".
    profile.extensions = {{"subjectAltName", "DER:301e8209612e6578616d706c65820b62002e6578616d706c652e820463"
                                             "1b5b32"}};
    const auto certificate = crypto::build_certificate(profile, key, nullptr, key);
    REQUIRE(certificate);
    const auto names = certificate->identifiers();
    REQUIRE(names.size() == 3);
    CHECK(names[0].value == "a.example");
    CHECK(names[1].value == "b?.example.");
    CHECK(names[2].value == "c?[2");
}
