#include <doctest/doctest.h>

#include "../crypto/certificates.h"
#include "dns/name.h"
#include "enrol/device_label.h"

using namespace acmetool;

TEST_CASE("CSR-06, INT-06: a serial that is a label is the label, in lower case")
{
    CHECK(enrol::device_label("CLIENT7") == "client7");
    CHECK(enrol::device_label("0") == "0");
    CHECK(enrol::device_label("SN-12-AB") == "sn-12-ab");
    CHECK(enrol::device_label(std::string(63, 'A')) == std::string(63, 'a'));
    CHECK(enrol::device_label("a--b") == "a--b"); // "--" in places 2 and 3
}

TEST_CASE("CSR-06: any other serial gives h- and the SHA-256 in base32hex")
{
    // printf %s SERIAL | openssl dgst -sha256 -binary | base32 | tr A-Z2-7 0-9a-v
    CHECK(enrol::device_label("SN 1/2") == "h-36mo4bbj3dk2hptmrn4fjvm3k9h7c4ap4frp5u9edasa5vej0flg");
    CHECK(enrol::device_label("") == "h-seoc8gkovge196nruj49irtp4gjqsgf4cidp6j54imchmu2in1ag");
    for (const auto& serial : {std::string(64, 'a'), std::string{"-a"}, std::string{"a-"}, std::string{"a.b"},
                               std::string{"a_b"}, std::string{"ab--c"}, std::string{"xn--mnchen-3ya"},
                               std::string{"M\xc3\xbcnchen"}, std::string{"a\0b", 3}}) {
        CAPTURE(serial);
        const auto label = enrol::device_label(serial);
        CHECK(label.size() == 54);
        CHECK(label.starts_with("h-"));
        CHECK(*dns::normalize_name(label + ".example.com") == label + ".example.com");
    }
    CHECK(enrol::device_label("SN 1") != enrol::device_label("sn 1")); // over the octets, not lower-cased
}

TEST_CASE("CSR-15: the serial comes from the subject's serialNumber, of which there is one")
{
    CHECK(*enrol::device_serial(test::make_identity("device", "SN-1").certificate) == "SN-1");
    const auto refused = enrol::device_serial(test::make_identity("device").certificate);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().reason == "noSerialNumber");
}

TEST_CASE("CSR-15, INT-06: random labels differ and are labels")
{
    const auto label = enrol::random_label();
    CHECK(label.size() == 28);
    CHECK(label != enrol::random_label());
    CHECK(*dns::normalize_name(label + ".example.com") == label + ".example.com");
}
