#include "acme/certificate_id.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <doctest/doctest.h>

using namespace acmetool;

namespace
{

// openssl x509 -req -set_serial 0x8765432100: the first octet has its highest bit set, so DER puts a 00
// before it.
constexpr const char* kWithAuthorityKey = R"(-----BEGIN CERTIFICATE-----
MIIBcTCCARigAwIBAgIGAIdlQyEAMAoGCCqGSM49BAMCMBIxEDAOBgNVBAMMB3Rl
c3QgY2EwHhcNMjYxMTI0MDcyNDEyWhcNMzYxMTIxMDcyNDEyWjAUMRIwEAYDVQQD
DAlhLmV4YW1wbGUwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQ8/QYu+k0BuyWP
k+uKpv5rE2xqoTgpxzi50GgU0ert9sR854/xisk369Mq3V7VpUS53EMBoKV2dFdi
T8nRO1FRo1gwVjAfBgNVHSMEGDAWgBRdKpoq8yXSdHuBZJsfISsFrBOn+TAUBgNV
HREEDTALgglhLmV4YW1wbGUwHQYDVR0OBBYEFEslUQt+am78GqsMWm3Cp0xks32e
MAoGCCqGSM49BAMCA0cAMEQCIGAw8TkUPSUnqaI2s6Il83xUu1KglbnpQE3EteJu
j5HmAiAan0+IXvwkGfy15GhsRlaEP/fWJBTmSV2o4ytEEP2oaw==
-----END CERTIFICATE-----
)";
// The same CA, authorityKeyIdentifier=none.
constexpr const char* kWithoutAuthorityKey = R"(-----BEGIN CERTIFICATE-----
MIIBSzCB8qADAgECAgF/MAoGCCqGSM49BAMCMBIxEDAOBgNVBAMMB3Rlc3QgY2Ew
HhcNMjYxMTI0MDcyNDEyWhcNMzYxMTIxMDcyNDEyWjAUMRIwEAYDVQQDDAlhLmV4
YW1wbGUwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQ8/QYu+k0BuyWPk+uKpv5r
E2xqoTgpxzi50GgU0ert9sR854/xisk369Mq3V7VpUS53EMBoKV2dFdiT8nRO1FR
ozcwNTAUBgNVHREEDTALgglhLmV4YW1wbGUwHQYDVR0OBBYEFEslUQt+am78GqsM
Wm3Cp0xks32eMAoGCCqGSM49BAMCA0gAMEUCIADZXQBlfn/lsOr7jtuo3jxiUaNB
U6YJfNdd1Wpsn2QdAiEAux9D8/zoTSRI5cxXBpSyKBqhbPtjfghPNlrmzDDCy34=
-----END CERTIFICATE-----
)";

std::filesystem::path sample()
{
    const char* shared = std::getenv("ACMETOOL_SHARED");
    return std::filesystem::path{shared != nullptr ? shared : "../shared"} /
           "spec/examples/made/rfc9773-appendix-a.pem";
}

crypto::Certificate only(std::string_view text)
{
    const auto found = crypto::parse_certificates(text, "test");
    REQUIRE(found);
    REQUIRE(found->size() == 1);
    return found->front();
}

} // namespace

TEST_CASE("EXT-01a: the certificate ID keeps the serial's leading 00")
{
    const auto certificate = only(kWithAuthorityKey);
    CHECK(to_hex(certificate.serial_octets()) == "008765432100");
    CHECK(certificate.serial() == "8765432100");
    CHECK(acme::certificate_id(certificate) == "XSqaKvMl0nR7gWSbHyErBawTp_k.AIdlQyEA");
}

TEST_CASE("EXT-01b: a certificate that names no key of its issuer has no ID")
{
    const auto certificate = only(kWithoutAuthorityKey);
    CHECK(certificate.authority_key_id().empty());
    CHECK(acme::certificate_id(certificate) == std::nullopt);
}

TEST_CASE("EXT-01a: the ID of the certificate in RFC 9773 appendix A (skipped without the reference files)" *
          doctest::skip(!std::filesystem::exists(sample())))
{
    std::ifstream file{sample()};
    const std::string text{std::istreambuf_iterator<char>{file}, {}};
    CHECK(acme::certificate_id(only(text)) == "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE");
}
