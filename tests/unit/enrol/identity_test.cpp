#include <doctest/doctest.h>

#include <set>

#include "../ra/fixture.h"
#include "../ra/vendor.h"
#include "enrol/identity.h"

using namespace acmetool;
using namespace acmetool::test;

TEST_CASE("SEC-20: the text of a serial number is never another one's, and it comes back")
{
    using namespace std::string_literals;
    const std::string longer(4000, 'x');
    std::set<std::string> ids;
    const std::vector<std::string> serials{"a",    "A",     "a@b",    "a%40b", "a b",        "a?b",
                                           "a\nb", "a\0b"s, "user:a", "a,b",   "",           "\xc3\xa4",
                                           "ä b",  "%",     "a/+=",   longer,  longer + "1", longer + "2"};
    for (const auto& serial : serials) {
        const auto text = enrol::escape_serial(serial);
        CHECK(enrol::unescape_serial(text) == serial);
        CHECK(text.find_first_of("@,: \n") == std::string::npos);
        ids.insert(enrol::device_id(serial, "00"));
        ids.insert(enrol::device_id(serial, "01"));
    }
    CHECK(ids.size() == 2 * serials.size());
    CHECK(enrol::device_id("SN 1", "ab") == "SN%201@ab");
    for (const auto* bad : {"%", "%4", "%4g", "a%"})
        CHECK_FALSE(enrol::unescape_serial(bad));
    const auto parts = enrol::parse_qualified_serial("a%40b@Maker");
    REQUIRE(parts);
    CHECK(parts->serial == "a@b");
    CHECK(parts->whose == "Maker");
    for (const auto* bad : {"a", "@b", "a@", "%@b", ""})
        CHECK_FALSE(enrol::parse_qualified_serial(bad));
}

TEST_CASE("SEC-20: the identity is the anchor's key, the serial number and the device's key")
{
    const Vendor one{"Maker CA"};
    const Vendor other{"Maker CA"};
    const auto now = Vendor::now();
    const enrol::Manufacturers both{{{"", {one.certificate, other.certificate}, {}}}, {}};
    CHECK(both.size() == 2);
    const auto device = one.idevid("SN-1");
    const auto a = both.identify({device}, now);
    const auto b = both.identify({other.idevid("SN-1")}, now);
    REQUIRE_MESSAGE(a, a.error().message);
    REQUIRE_MESSAGE(b, b.error().message);
    CHECK(a->id() == "SN-1@" + to_hex(one.key.spki_sha256()));
    CHECK(b->id() == "SN-1@" + to_hex(other.key.spki_sha256()));
    CHECK(a->key == to_hex(device.public_key().spki_sha256()));
    CHECK(a->manufacturer.empty());

    // Without key identifiers OpenSSL knows an issuer by its name alone.
    const Maker plain{"Maker CA"};
    const Maker twin{"Maker CA"};
    for (const auto* maker : {&plain, &twin}) {
        const enrol::Manufacturers all{
            {{"", {one.certificate, plain.certificate, twin.certificate}, {}}, {"", {plain.certificate}, {}}},
            {}};
        CHECK(all.size() == 3);
        const auto found = all.identify({maker->idevid("SN-1")}, now);
        REQUIRE_MESSAGE(found, found.error().message);
        CHECK(found->anchor == to_hex(maker->key.spki_sha256()));
    }

    // A renewed anchor: another certificate for the key, also with a compressed point.
    for (const auto& renewed : {one.renewed(), one.renewed("Maker CA", true)}) {
        const auto again = enrol::Manufacturers{{{"", {renewed}, {}}}, {}}.identify({device}, now);
        REQUIRE_MESSAGE(again, again.error().message);
        CHECK(again->id() == a->id());
    }

    const auto explicit_key = one.idevid_for(with_explicit_curve(*crypto::generate_key("ec:P-256")), "SN-1");
    CHECK(both.identify({explicit_key}, now).error().code == Errc::refused);
    CHECK(both.identify({}, now).error().code == Errc::refused);
    CHECK(both.identify({one.idevid("")}, now).error().reason.word() == "noSerialNumber");
}

TEST_CASE("SEC-20: intermediates vouch for a device, too, and names and fields come from the nearest CA")
{
    const Vendor root{"Root"};
    const auto issuing = root.below("Issuing");
    const auto now = Vendor::now();
    const auto device = issuing.idevid("SN-1");
    const std::vector chain{device, issuing.certificate};
    const auto key_of = [](const Vendor& vendor) { return to_hex(vendor.key.spki_sha256()); };

    const enrol::Manufacturers by_root{{{"", {root.certificate}, {}}},
                                       {{"lab", {issuing.certificate}, {"CN"}}}};
    const auto identity = by_root.identify(chain, now);
    REQUIRE_MESSAGE(identity, identity.error().message);
    CHECK(identity->anchor == key_of(root));
    CHECK(identity->authorities == std::vector{key_of(issuing), key_of(root)});
    CHECK(identity->manufacturer == "lab");
    CHECK(identity->serial == "device");
    CHECK(by_root.has_name("lab"));
    CHECK_FALSE(by_root.has_name("other"));

    // The intermediate becomes an anchor itself: the root above it is still known to vouch.
    const enrol::Manufacturers by_both{{{"maker", {root.certificate, issuing.certificate}, {}}}, {}};
    const auto nearer = by_both.identify(chain, now);
    REQUIRE(nearer);
    CHECK(nearer->anchor == key_of(issuing));
    CHECK(nearer->authorities == std::vector{key_of(issuing), key_of(root)});
    CHECK(by_both.name_of(key_of(root)) == "maker");

    CHECK(by_root.anchor_of_issuer("CN=Root") == key_of(root));
    CHECK(by_root.anchor_of_issuer("CN=Issuing") == key_of(root)); // there is no other
    CHECK_FALSE(by_both.anchor_of_issuer("CN=Third"));
    const Vendor twin{"Root"};
    CHECK_FALSE(enrol::Manufacturers{{{"", {root.certificate, twin.certificate}, {}}}, {}}.anchor_of_issuer(
        "CN=Root"));
}

TEST_CASE("FLD-E11: an IDevID that expired counts for the grace of its manufacturer, and for no other's")
{
    const auto now = Vendor::now();
    using std::chrono::hours;
    const auto expired = [&](const Vendor& vendor, hours ago) {
        const auto device = vendor.idevid("SN-1");
        ASN1_TIME_set(X509_getm_notAfter(device.get()), (now - ago).time_since_epoch().count());
        REQUIRE(X509_sign(device.get(), vendor.key.get(), EVP_sha256()) > 0);
        return device;
    };
    const Vendor strict{"Strict"};
    const Vendor patient{"Patient"};
    const Vendor old{"Old"};
    const enrol::Manufacturers makers{{{"strict", {strict.certificate}, {}},
                                       {"patient", {patient.certificate}, {}, hours{2}},
                                       {"old", {old.certificate}, {}, hours{10}}},
                                      {}};
    const auto is_known = [&](const enrol::Manufacturers& to, const std::vector<crypto::Certificate>& chain) {
        const auto identity = to.identify(chain, now);
        if (!identity) {
            CHECK(identity.error().message.find("certificate has expired (") == 0);
            CHECK(identity.error().message.find("it expired at") != std::string::npos);
        }
        return identity.has_value();
    };
    CHECK_FALSE(is_known(makers, {expired(strict, hours{1})}));
    CHECK(is_known(makers, {expired(patient, hours{1})}));
    CHECK_FALSE(is_known(makers, {expired(patient, hours{3})}));
    CHECK(is_known(makers, {expired(old, hours{3})}));
    CHECK_FALSE(is_known(makers, {expired(old, hours{11})}));
    CHECK(is_known(makers, {strict.idevid("SN-1")}));

    // The nearest CA with a grace decides, as it does for names.
    const auto issuing = old.below("Issuing");
    const std::vector chain{expired(issuing, hours{3}), issuing.certificate};
    CHECK(is_known(makers, chain));
    CHECK_FALSE(is_known(enrol::Manufacturers{{{"old", {old.certificate}, {}, hours{10}}},
                                              {{"issuing", {issuing.certificate}, {}, hours{2}}}},
                         chain));
    CHECK(is_known(
        enrol::Manufacturers{{{"", {old.certificate}, {}}}, {{"lab", {issuing.certificate}, {}, hours{4}}}},
        chain));
}
