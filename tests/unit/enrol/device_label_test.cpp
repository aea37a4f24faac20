#include <doctest/doctest.h>

#include "../crypto/certificates.h"
#include "crypto/certificate_builder.h"
#include "dns/name.h"
#include "enrol/device_label.h"

using namespace acmetool;

TEST_CASE("CSR-06a, INT-06a: a serial that is a label is the label, in lower case")
{
    CHECK(enrol::device_label("CLIENT7") == "client7");
    CHECK(enrol::device_label("0") == "0");
    CHECK(enrol::device_label("SN-12-AB") == "sn-12-ab");
    CHECK(enrol::device_label(std::string(63, 'A')) == std::string(63, 'a'));
    CHECK(enrol::device_label("a--b") == "a--b"); // "--" in places 2 and 3
}

TEST_CASE("CSR-06a: any other serial gives h- and the SHA-256 in base32hex")
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

TEST_CASE("CSR-15a, BRR-02a: the serial comes from the subject's serialNumber, of which there is one")
{
    CHECK(*enrol::device_serial(test::make_identity("device", "SN-1").certificate) == "SN-1");
    const auto refused = enrol::device_serial(test::make_identity("device").certificate);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().reason.word() == "noSerialNumber");
}

TEST_CASE("BRR-02c: some manufacturers have the serial number in other fields")
{
    const auto both = test::make_identity("device", "SN-1").certificate;
    const auto plain = test::make_identity("device").certificate;
    CHECK(*enrol::device_serial(both, {"serialNumber", "commonName"}) == "SN-1");
    CHECK(*enrol::device_serial(both, {"2.5.4.3"}) == "device");
    CHECK(*enrol::device_serial(plain, {"serialNumber", "CN"}) == "device");
    CHECK(enrol::device_serial(plain, {"UID", "hardwareModuleName"}).error().message ==
          "subject CN=device has no UID, hardwareModuleName");

    const auto module = [](const std::string& octets) {
        auto key = *crypto::generate_key("ec:P-256");
        crypto::CertificateProfile profile;
        profile.common_name = "device";
        profile.not_after = base::TimePoint{std::chrono::hours{24 * 365 * 60}};
        profile.extensions = {{"2.5.29.17", "DER:" + octets}};
        return *crypto::build_certificate(profile, key, nullptr, key);
    };
    // hwType 1.2.3.4, hwSerialNum "HW-7"; then two octets that are no text
    const std::string head = "30:19:a0:17:06:08:2b:06:01:05:05:07:08:04:a0:0b:30:0b:06:03:2a:03:04:04:04:";
    CHECK_FALSE(enrol::device_serial(module(head + "48:57:2d"), {"hardwareModuleName"})); // cut off
    CHECK(*enrol::device_serial(
              module("30:1b:a0:19:06:08:2b:06:01:05:05:07:08:04:a0:0d:30:0b:06:03:2a:03:04:04:"
                     "04:48:57:2d:37"),
              {"hardwareModuleName"}) == "HW-7");
    CHECK(*enrol::device_serial(
              module("30:19:a0:17:06:08:2b:06:01:05:05:07:08:04:a0:0b:30:09:06:03:2a:03:04:04:"
                     "02:00:ff"),
              {"serialNumber", "hardwareModuleName"}) == "AP8=");

    CHECK(enrol::check_serial_field("hardwareModuleName"));
    CHECK(enrol::check_serial_field("1.2.3.4"));
    CHECK_FALSE(enrol::check_serial_field("serial number"));
    CHECK_FALSE(enrol::check_serial_field(""));
}

TEST_CASE("CSR-15b, INT-06c: random labels differ and are labels")
{
    const auto label = enrol::random_label();
    CHECK(label.size() == 28);
    CHECK(label != enrol::random_label());
    CHECK(*dns::normalize_name(label + ".example.com") == label + ".example.com");
}
