#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>

#include "../crypto/certificates.h"
#include "crypto/der.h"
#include "crypto/oids.h"
#include "crypto/openssl.h"
#include "est/codec.h"
#include "est/csrattrs.h"
#include "est/csrattrs_oids.h"

using namespace acmetool;
namespace der = crypto::der;
namespace oid = est::oid;

namespace
{

Bytes seq(std::initializer_list<Bytes> parts)
{
    return der::element(der::kSequence, parts);
}
Bytes set(std::initializer_list<Bytes> parts)
{
    return der::element(der::kSet, parts);
}
Bytes num(std::string_view dotted)
{
    return *der::oid(dotted);
}
Bytes octets(const Bytes& content)
{
    return der::element(der::kOctetString, content);
}
Bytes attribute(std::string_view type, std::initializer_list<Bytes> values)
{
    return seq({num(type), set(values)});
}

/// A CsrAttrs with one template of these parts.
Bytes with_template(std::initializer_list<Bytes> parts)
{
    return seq({attribute(oid::kRequestTemplate, {seq(parts)})});
}
Bytes template_attributes(std::initializer_list<Bytes> attributes)
{
    return with_template({der::integer(0), der::element(der::context(1), attributes)});
}

const Bytes kSanValue = seq({der::element(0x82, as_bytes("client.example.com"))});
const Bytes kSan = seq({num(crypto::oid::kSubjectAltName), octets(kSanValue)});

/// The sentence of the refusal.
std::string refusal(const Bytes& bytes)
{
    const auto asked = est::parse_csrattrs(bytes);
    if (asked) return "taken";
    CHECK(asked.error().code == Errc::protocol);
    CHECK(asked.error().reason.word() == "csrattrs");
    CHECK_FALSE(asked.error().hint.empty());
    return asked.error().message;
}

bool contains(const Bytes& whole, ByteView part)
{
    return std::search(whole.begin(), whole.end(), part.begin(), part.end()) != whole.end();
}

/// The elements inside the outer SEQUENCE, whose header has two octets in these samples.
ByteView inside(const std::string& sample)
{
    return as_bytes(sample).subspan(2);
}

} // namespace

TEST_CASE("CSR-09a, CSR-09e, CSR-12a: the samples of RFC 9908 section 5 in the form of RFC 7030")
{
    struct Sample {
        const char* file;
        const char* key_type;
        const char* digest;
        std::vector<std::string> ignored;
    };
    for (const auto& sample : {Sample{"rfc7030-example01", "ec:P-384", "sha384", {"1.3.6.1.1.1.1.22"}},
                               {"harkins01", "rsa:4096", "sha256", {}},
                               {"harkins02", "ec:P-384", "sha384", {"2.5.4.5"}},
                               {"harkins03",
                                "ec:P-521",
                                "sha512",
                                {"1.2.840.113549.1.9.20", "0.9.2342.19200300.100.1.5", "2.5.4.5"}}}) {
        CAPTURE(sample.file);
        ACMETOOL_VECTOR(base64, std::string{"csrattrs/"} + sample.file + ".csrattr.b64");
        const auto asked = est::parse_csrattrs(est::parse_body(base64)->der);
        REQUIRE(asked);
        CHECK_FALSE(asked->from_template);
        CHECK(asked->key_type == sample.key_type);
        CHECK(asked->digest == sample.digest);
        CHECK(asked->challenge_password);
        CHECK(asked->ignored == sample.ignored);
        CHECK(asked->extensions.empty());
    }
    ACMETOOL_VECTOR(acp, "csrattrs/realistic-acp.csrattr.der");
    const auto asked = est::parse_csrattrs(as_bytes(acp));
    REQUIRE(asked);
    REQUIRE(asked->extensions.size() == 1);
    CHECK(asked->extensions[0].oid == crypto::oid::kSubjectAltName);
    CHECK(asked->extensions[0].critical);
    CHECK(asked->extensions[0].value->size() == 75);
}

TEST_CASE("CSR-09d, CSR-11a: the template of RFC 9908 section 3.4")
{
    ACMETOOL_VECTOR(sample, "made/csrattrs-rfc9908-3.4-example.der");
    const auto asked = est::parse_csrattrs(as_bytes(sample));
    REQUIRE(asked);
    CHECK(asked->from_template);
    CHECK(asked->key_type == "ec:P-256");
    REQUIRE(asked->subject);
    REQUIRE(asked->subject->size() == 3);
    CHECK((*asked->subject)[0][0].name == "CN");
    CHECK((*asked->subject)[0][0].open());
    CHECK((*asked->subject)[1][0].name == "OU");
    CHECK((*asked->subject)[1][0].value == der::element(der::kUtf8String, as_bytes("myDept")));
    REQUIRE(asked->extensions.size() == 3);
    CHECK(asked->extensions[1].critical);
    CHECK(asked->extensions[1].value == Bytes{0x03, 0x02, 0x03, 0x88});
    CHECK(asked->extensions[2].oid == crypto::oid::kExtKeyUsage);
    CHECK_FALSE(asked->extensions[2].value);
}

TEST_CASE(
    "CSR-12a, ESTC-11b: nothing asked, and the bare OIDs in an extensionRequest as RFC 8951 prints them")
{
    CHECK(est::parse_csrattrs(Bytes{})->empty());
    CHECK(est::parse_csrattrs(seq({}))->empty());
    ACMETOOL_VECTOR(printed, "made/csrattrs-rfc7030-4.5.2-as-printed.der");
    const auto asked = est::parse_csrattrs(as_bytes(printed));
    REQUIRE(asked);
    CHECK(asked->key_type == "ec:P-384");
    CHECK(asked->digest == "sha384");
    CHECK(asked->challenge_password);
    CHECK(asked->extensions.empty());
    CHECK(asked->ignored == std::vector<std::string>{"1.3.6.1.1.1.1.22"});
}

TEST_CASE("CSR-10: with a template every other element is ignored, a wrong extensionRequest too")
{
    const Bytes other = attribute(crypto::oid::kExtensionRequest, {der::integer(7)});
    const Bytes rsa = attribute(oid::kRsaEncryption, {der::integer(4096)});
    const Bytes request = attribute(
        oid::kRequestTemplate,
        {seq({der::integer(0),
              der::element(der::context(1), {attribute(crypto::oid::kExtensionRequest, {seq({kSan})})})})});
    for (const auto& bytes : {seq({num(crypto::oid::kChallengePassword), rsa, other, request}),
                              seq({request, num(crypto::oid::kChallengePassword), rsa, other})}) {
        const auto asked = est::parse_csrattrs(bytes);
        REQUIRE(asked);
        CHECK(asked->from_template);
        CHECK(asked->key_type.empty());
        CHECK_FALSE(asked->challenge_password);
        REQUIRE(asked->extensions.size() == 1);
        CHECK(asked->extensions[0].value == kSanValue);
    }
}

TEST_CASE("CSR-12a: OIDs and attributes that are not known are ignored, curves by their OID named")
{
    const auto asked = est::parse_csrattrs(
        seq({num("1.2.3.4"), attribute("1.2.3.5", {der::integer(1), seq({})}), attribute("1.2.3.6", {}),
             attribute(oid::kEcPublicKey, {num("1.3.132.0.10")})}));
    REQUIRE(asked);
    CHECK(asked->key_type == "ec:1.3.132.0.10");
    CHECK(asked->ignored == std::vector<std::string>{"1.2.3.5", "1.2.3.6", "1.2.3.4"});
    CHECK(est::parse_csrattrs(seq({num(oid::kEcPublicKey)}))->key_type == "ec");
    CHECK(est::parse_csrattrs(seq({attribute(oid::kRsaEncryption, {})}))->key_type == "rsa");
    CHECK(est::parse_csrattrs(seq({num(oid::kEd25519)}))->key_type == "ed25519");
}

TEST_CASE("CSR-13a, CSR-13b, CSR-13c: what a template may not hold, each with its sentence")
{
    const Bytes extensions = seq({kSan});
    const Bytes request = attribute(crypto::oid::kExtensionRequest, {extensions});
    const Bytes open = attribute(oid::kExtensionReqTemplate, {extensions});
    const auto says = [](const Bytes& bytes, const char* sentence) {
        CHECK(refusal(bytes) == std::string{"CSR attributes: "} + sentence);
    };
    const Bytes none = der::element(der::context(1), ByteView{});
    says(with_template({der::integer(1), none}), "the template's version is not 0");
    says(with_template({der::integer(256), none}), "the template's version is not 0");
    says(with_template({none}), "the template's version has tag 0xa1 instead of 0x02");
    says(with_template({der::integer(0)}), "the template's attributes is missing");
    says(with_template({der::integer(0), none, seq({})}), "2 unexpected octets after the template");
    says(template_attributes({request, open}), "more than one of extensionRequest and extensionReqTemplate");
    says(template_attributes({open, open}), "more than one of extensionRequest and extensionReqTemplate");
    says(template_attributes({request, request}),
         "more than one of extensionRequest and extensionReqTemplate");
    says(template_attributes({attribute(crypto::oid::kExtensionRequest, {extensions, extensions})}),
         "extensionRequest has 2 values instead of one");
    says(template_attributes({attribute(oid::kExtensionReqTemplate, {})}),
         "extensionReqTemplate has 0 values instead of one");
    says(template_attributes({attribute(crypto::oid::kExtensionRequest, {seq({kSan, kSan})})}),
         "extension 2.5.29.17 occurs twice");
    says(template_attributes({attribute(crypto::oid::kExtensionRequest, {seq({seq({num("1.2.3")})})})}),
         "the value of extension 1.2.3 is missing");
    says(template_attributes({attribute(crypto::oid::kExtensionRequest, {seq({})})}),
         "an empty list of extensions");
    says(
        template_attributes({attribute(crypto::oid::kChallengePassword, {der::integer(1), der::integer(2)})}),
        "challengePassword has more than one value");
    says(with_template({der::integer(0), seq({set({})}), none}), "an empty relative distinguished name");
    const Bytes whole = template_attributes({request});
    CHECK(refusal(whole) == "taken");
    const Bytes twice = seq({attribute(oid::kRequestTemplate, {seq({der::integer(0), none})}),
                             attribute(oid::kRequestTemplate, {seq({der::integer(0), none})})});
    says(twice, "two templates");
    says(seq({attribute(oid::kRequestTemplate, {})}), "the template has 0 values instead of one");
}

TEST_CASE("CSR-12b: malformed DER is an error")
{
    CHECK(refusal(seq({der::integer(1)})) ==
          "CSR attributes: an element with tag 0x02 is neither OID nor attribute");
    CHECK(refusal(seq({seq({num("1.2.3")})})) ==
          "CSR attributes: the set of values of attribute 1.2.3 is missing");
    CHECK(refusal(seq({attribute(crypto::oid::kExtensionRequest, {der::integer(1)})})) ==
          "CSR attributes: the requested extensions are not a SEQUENCE");
    const Bytes request = attribute(crypto::oid::kExtensionRequest, {seq({kSan})});
    CHECK(refusal(seq({request, request})) == "CSR attributes: extensionRequest occurs twice");
    CHECK(refusal(seq({attribute(crypto::oid::kExtensionRequest, {seq({kSan}), seq({kSan})})})) ==
          "CSR attributes: extensionRequest has 2 values instead of one");
    const Bytes bad_san = seq({num(crypto::oid::kSubjectAltName), octets({0x30, 0x05, 0x82})});
    CHECK(refusal(seq({attribute(crypto::oid::kExtensionRequest, {seq({bad_san})})})) ==
          "CSR attributes: subjectAltName: GeneralNames is truncated");
    CHECK(refusal(Bytes{0x30, 0x80, 0x00, 0x00}) ==
          "CSR attributes: CsrAttrs has a length that DER does not allow");
    CHECK(refusal(Bytes{0x30, 0x81, 0x00}) == "CSR attributes: CsrAttrs has a length that is not minimal");
    CHECK(refusal(Bytes{0x30, 0x03, 0x06, 0x01, 0x80}) == "CSR attributes: a malformed object identifier");
    CHECK(refusal(Bytes(70'000, 0x30)) == "CSR attributes: more than 65536 octets");
    Bytes deep;
    for (int i = 0; i < 40; ++i)
        deep = seq({deep});
    CHECK(refusal(seq({attribute("1.2.3", {deep})})) == "CSR attributes: nested too deeply");
    for (const auto& whole : {template_attributes({request}), seq({request, num("1.2.3")})}) {
        for (std::size_t size = 1; size < whole.size(); ++size)
            CHECK(refusal({whole.begin(), whole.begin() + static_cast<long>(size)}) != "taken");
        Bytes longer = whole;
        longer.push_back(0);
        CHECK(refusal(longer) == "CSR attributes: 1 unexpected octets after CsrAttrs");
    }
}

TEST_CASE("INT-04a, INT-05, ESTS-12a: both forms hold the same SAN, octet for octet those of the samples")
{
    ACMETOOL_VECTOR(legacy, "made/csrattrs-san-legacy.der");
    ACMETOOL_VECTOR(pop, "made/csrattrs-san-ec-pop-legacy.der");
    ACMETOOL_VECTOR(request_template, "made/csrattrs-san-template.der");
    enrol::CsrAttributes attributes{.identifiers = {{"dns", "client.example.com"}},
                                    .key_type = "ec:P-256",
                                    .channel_binding = false,
                                    .extensions = {}};
    const auto made = est::to_csrattrs(attributes);
    REQUIRE(made);
    CHECK(contains(*made, inside(legacy)));
    CHECK(contains(*made, inside(request_template)));
    attributes.channel_binding = true;
    const auto bound = est::to_csrattrs(attributes);
    REQUIRE(bound);
    CHECK(contains(*bound, inside(pop)));
    const auto asked = est::parse_csrattrs(*bound);
    REQUIRE(asked);
    CHECK(asked->from_template);
    CHECK(asked->challenge_password);
    CHECK(asked->key_type == "ec:P-256");
    REQUIRE(asked->extensions.size() == 1);
    CHECK(asked->extensions[0].value == kSanValue);
}

TEST_CASE(
    "ESTS-23a, ESTS-12b, INT-08: without identifiers no SAN; key types and further extensions in both forms")
{
    CHECK(*est::to_csrattrs({}) == Bytes{0x30, 0x00});
    const Bytes san_oid = num(crypto::oid::kSubjectAltName);
    for (const auto* type : {"ec:P-256", "ec:P-384", "ec:P-521", "rsa:2048", "rsa:4096", "ed25519"}) {
        CAPTURE(type);
        enrol::CsrAttributes attributes;
        attributes.key_type = type;
        attributes.extensions = {"2.5.29.15", "1.3.6.1.5.5.7.1.24"};
        const auto made = est::to_csrattrs(attributes);
        REQUIRE(made);
        CHECK_FALSE(contains(*made, san_oid));
        const auto asked = est::parse_csrattrs(*made);
        REQUIRE(asked);
        CHECK(asked->key_type == type);
        REQUIRE(asked->extensions.size() == 2);
        CHECK(asked->extensions[1].oid == "1.3.6.1.5.5.7.1.24");
        CHECK_FALSE(asked->extensions[1].value);

        // The same without the template, which is the last element: what an older client sees.
        der::Reader outer{*made};
        Bytes older;
        for (der::Reader reader{outer.next("CsrAttrs")->value}; !reader.at_end();) {
            const auto entry = *reader.next("element");
            if (!reader.at_end()) der::append(older, entry.whole);
        }
        const auto legacy = est::parse_csrattrs(der::element(der::kSequence, older));
        REQUIRE(legacy);
        CHECK(legacy->key_type == type);
        CHECK(legacy->ignored == attributes.extensions);
        CHECK(legacy->digest.empty() == (asked->key_type == "ed25519"));
    }
    enrol::CsrAttributes wrong;
    for (const auto* type : {"rsa:1024", "rsa:", "rsa:2048x", "dsa", "ec:P-224"}) {
        wrong.key_type = type;
        CHECK_FALSE(est::to_csrattrs(wrong));
    }
    wrong.key_type.clear();
    for (const auto* extension : {"keyUsage", "", "2.5.29.17"}) {
        wrong.extensions = {extension};
        CHECK_FALSE(est::to_csrattrs(wrong));
    }
}

TEST_CASE("INT-05: addresses, several names, and OpenSSL reads the structure")
{
    enrol::CsrAttributes attributes{.identifiers = {{"dns", "a.example.com"},
                                                    {"dns", "b.example.com"},
                                                    {"ip", "192.0.2.1"},
                                                    {"ip", "2001:db8::1"}},
                                    .key_type = "rsa:3072",
                                    .channel_binding = true,
                                    .extensions = {"2.5.29.37"}};
    const auto made = est::to_csrattrs(attributes);
    REQUIRE(made);
    const auto* data = made->data();
    ASN1_SEQUENCE_ANY* sequence = d2i_ASN1_SEQUENCE_ANY(nullptr, &data, static_cast<long>(made->size()));
    REQUIRE(sequence != nullptr);
    CHECK(data == made->data() + made->size());
    CHECK(sk_ASN1_TYPE_num(sequence) == 6);
    const crypto::BioPtr dump{BIO_new(BIO_s_mem())};
    CHECK(ASN1_parse_dump(dump.get(), made->data(), static_cast<long>(made->size()), 0, 0) == 1);
    CHECK(crypto::contents(dump.get()).find("1.2.840.113549.1.9.16.2.61") != std::string::npos);
    sk_ASN1_TYPE_pop_free(sequence, ASN1_TYPE_free);
    const auto asked = est::parse_csrattrs(*made);
    REQUIRE(asked);
    REQUIRE(asked->extensions.size() == 2);
    CHECK(asked->extensions[0].value->size() == 2 + 2 * 15 + 6 + 18);
}
