#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>
#include <openssl/rsa.h>

#include "crypto/csr_remake.h"
#include "crypto/der.h"
#include "crypto/openssl.h"
#include "crypto/request_info.h"
#include "fixture.h"
#include "ra/csr_policy.h"

namespace acmetool
{
namespace
{

using test::Lab;
using namespace std::chrono_literals;

using Extensions = std::vector<std::pair<const char*, const char*>>;
using Subject = std::vector<std::pair<const char*, const char*>>;

constexpr const char* kName = "sn-1.domain.com";

/// A request for kName, signed by `key`, as other software makes it.
crypto::Csr request_of(const crypto::Key& key, const Extensions& extensions, const Subject& subject = {},
                       const std::function<void(X509_REQ*)>& change = {})
{
    const crypto::ReqPtr request{X509_REQ_new()};
    X509_REQ_set_pubkey(request.get(), key.get());
    for (const auto& [field, value] : subject)
        X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(request.get()), field, MBSTRING_UTF8,
                                   reinterpret_cast<const unsigned char*>(value), -1, -1, 0);
    X509V3_CTX context;
    X509V3_set_ctx(&context, nullptr, nullptr, request.get(), nullptr, 0);
    const crypto::ExtensionsPtr list{sk_X509_EXTENSION_new_null()};
    const auto add = [&](const char* name, const char* value) {
        X509_EXTENSION* made = X509V3_EXT_nconf(nullptr, &context, name, value);
        REQUIRE(made != nullptr);
        sk_X509_EXTENSION_push(list.get(), made);
    };
    add("subjectAltName", "DNS:sn-1.domain.com");
    for (const auto& [name, value] : extensions)
        add(name, value);
    X509_REQ_add_extensions(request.get(), list.get());
    if (change) change(request.get());
    X509_REQ_sign(request.get(), key.get(), EVP_sha256());
    unsigned char* der = nullptr;
    const int size = i2d_X509_REQ(request.get(), &der);
    const crypto::OpensslMemory owned{der};
    return *crypto::parse_csr({reinterpret_cast<const char*>(der), static_cast<std::size_t>(size)});
}

/// A request with this subject and nothing else, and perhaps an extension.
crypto::Csr bare_request(const crypto::Key& key, const Subject& subject, int nid = NID_undef,
                         const char* value = "")
{
    const crypto::ReqPtr request{X509_REQ_new()};
    X509_REQ_set_pubkey(request.get(), key.get());
    for (const auto& [field, text] : subject)
        X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(request.get()), field, MBSTRING_UTF8,
                                   reinterpret_cast<const unsigned char*>(text), -1, -1, 0);
    if (nid != NID_undef) {
        const crypto::ExtensionsPtr list{sk_X509_EXTENSION_new_null()};
        sk_X509_EXTENSION_push(list.get(), X509V3_EXT_conf_nid(nullptr, nullptr, nid, value));
        X509_REQ_add_extensions(request.get(), list.get());
    }
    X509_REQ_sign(request.get(), key.get(), EVP_sha256());
    unsigned char* der = nullptr;
    const int size = i2d_X509_REQ(request.get(), &der);
    const crypto::OpensslMemory owned{der};
    return *crypto::parse_csr({reinterpret_cast<const char*>(der), static_cast<std::size_t>(size)});
}

/// The attributes of both requests in one, which OpenSSL does not make, signed anew.
crypto::Csr joined(const crypto::Key& key, const crypto::Csr& first, const crypto::Csr& second)
{
    namespace der = crypto::der;
    const auto parts_of = [](const crypto::Csr& csr) {
        const auto whole = *der::Reader{csr.der}.next("request");
        der::Reader request{whole.value};
        const auto info = *request.next("information");
        der::Reader reader{info.value};
        std::vector<Bytes> parts;
        while (!reader.at_end()) {
            const auto part = *reader.next("part");
            const auto taken = parts.size() < 3 ? part.whole : part.value;
            parts.emplace_back(taken.begin(), taken.end());
        }
        const auto algorithm = *request.next("algorithm");
        parts.emplace_back(algorithm.whole.begin(), algorithm.whole.end());
        return parts;
    };
    auto parts = parts_of(first);
    der::append(parts[3], parts_of(second)[3]);
    const auto info =
        der::element(der::kSequence, {parts[0], parts[1], parts[2], der::element(der::context(0), parts[3])});
    EVP_MD_CTX* signing = EVP_MD_CTX_new();
    Bytes signature(1024);
    std::size_t size = signature.size();
    EVP_DigestSignInit(signing, nullptr, EVP_sha256(), nullptr, key.get());
    EVP_DigestSign(signing, signature.data(), &size, info.data(), info.size());
    EVP_MD_CTX_free(signing);
    signature.resize(size);
    signature.insert(signature.begin(), 0); // no unused bits
    const auto made =
        der::element(der::kSequence, {info, parts[4], der::element(der::kBitString, signature)});
    return *crypto::parse_csr(as_text(made));
}

/// RFC 5280 section 4.2.1.2 (2), in hexadecimal.
std::string short_key_identifier(const crypto::Key& key)
{
    const crypto::ReqPtr request{X509_REQ_new()};
    X509_REQ_set_pubkey(request.get(), key.get());
    const unsigned char* bits = nullptr;
    int size = 0;
    X509_PUBKEY_get0_param(nullptr, &bits, &size, nullptr, X509_REQ_get_X509_PUBKEY(request.get()));
    Bytes digest(20);
    EVP_Digest(bits, static_cast<std::size_t>(size), digest.data(), nullptr, EVP_sha1(), nullptr);
    digest[12] = static_cast<std::uint8_t>(0x40U | (digest[12] & 0x0fU));
    return to_hex(ByteView{digest}.last(8));
}

void add_attribute(X509_REQ* request, const char* type, const char* value)
{
    X509_REQ_add1_attr_by_txt(request, type, MBSTRING_ASC, reinterpret_cast<const unsigned char*>(value), -1);
}

struct Answer {
    std::string word;
    std::string text;
    bool names(std::string_view what) const { return text.find(what) != std::string::npos; }
};

struct Desk : Lab {
    crypto::Certificate device = maker.idevid("SN-1");

    Answer ask(crypto::Csr csr, const crypto::Certificate* with = nullptr, bool renewal = false)
    {
        auto wanted = request(with != nullptr ? *with : device, std::move(csr));
        wanted.renewal = renewal;
        const auto decision = enrol(std::move(wanted));
        const auto* refused = std::get_if<enrol::Refused>(&decision);
        return {word(decision), refused != nullptr ? refused->text : std::string{}};
    }
};

} // namespace

TEST_CASE(
    "SEC-14, ESTS-24a, ESTS-24b: what a request must not ask for is refused by its name before any issuer")
{
    Desk desk;
    desk.open();
    const auto asks = [&](const Extensions& extensions, const char* words) {
        const auto answer = desk.ask(request_of(desk.key, extensions));
        INFO(answer.word, " ", answer.text);
        CHECK(answer.word == "bad_request");
        CHECK(answer.names(words));
    };
    asks({{"basicConstraints", "critical,CA:TRUE"}, {"keyUsage", "keyCertSign"}}, "CA:TRUE");
    asks({{"basicConstraints", "CA:FALSE,pathlen:0"}}, "basicConstraints");
    asks({{"keyUsage", "keyCertSign,cRLSign"}}, "keyCertSign, cRLSign");
    asks({{"keyUsage", "digitalSignature,nonRepudiation"}}, "nonRepudiation");
    asks({{"keyUsage", "keyAgreement,decipherOnly"}}, "decipherOnly");
    asks({{"extendedKeyUsage", "clientAuth,1.3.6.1.5.5.7.3.28"}}, "1.3.6.1.5.5.7.3.28");
    asks({{"extendedKeyUsage", "codeSigning"}}, "codeSigning");
    asks({{"extendedKeyUsage", "anyExtendedKeyUsage"}}, "anyExtendedKeyUsage");
    asks({{"subjectKeyIdentifier", "0102030405060708090a0b0c0d0e0f1011121314"}}, "subjectKeyIdentifier");
    asks({{"keyUsage", "digitalSignature"}, {"keyUsage", "keyCertSign"}}, "more than once");
    for (const auto& [name, value] : Extensions{{"tlsfeature", "status_request"}, {"1.2.3.4", "DER:0500"}}) {
        const auto answer = desk.ask(request_of(desk.key, {{name, value}}));
        CHECK(answer.word == "unsupported_extension");
        CHECK(answer.names(name));
    }

    const auto subject = [&](const Subject& names, const char* words) {
        const auto answer = desk.ask(request_of(desk.key, {}, names));
        INFO(answer.word, " ", answer.text);
        CHECK(answer.word == "bad_request");
        CHECK(answer.names(words));
    };
    subject({{"CN", kName}, {"CN", "admin"}}, "more than once");
    subject({{"CN", kName}, {"CN", kName}}, "more than once");
    subject({{"CN", "admin"}}, "common name");
    subject({{"CN", kName}, {"serialNumber", "ADMIN-1"}}, "ADMIN-1");
    subject({{"serialNumber", "SN-1"}, {"serialNumber", "ADMIN-1"}}, "more than once");
    subject({{"O", "Admins"}}, "O (2.5.4.10)");
    subject({{"CN", kName}, {"OU", "Admins"}}, "OU (2.5.4.11)");
    subject({{"emailAddress", "root@domain.com"}}, "emailAddress");

    const auto with = [&](const std::function<void(X509_REQ*)>& change) {
        return request_of(desk.key, {}, {}, change);
    };
    const auto refused = [&](crypto::Csr csr, const char* words) {
        const auto answer = desk.ask(std::move(csr));
        INFO(answer.word, " ", answer.text);
        CHECK(answer.word == "bad_request");
        CHECK(answer.names(words));
    };
    refused(with([](X509_REQ* request) { add_attribute(request, "unstructuredName", "admin"); }),
            "unstructuredName");
    const auto password = with([](X509_REQ* request) { add_attribute(request, "challengePassword", "a"); });
    refused(joined(desk.key, password, password), "more than once");
    // Two lists of extensions: some software reads the first, some the last.
    refused(joined(desk.key, with({}), request_of(desk.key, {{"basicConstraints", "CA:TRUE"}})),
            "more than once");
    refused(with([](X509_REQ* request) {
                const crypto::ExtensionsPtr list{sk_X509_EXTENSION_new_null()};
                sk_X509_EXTENSION_push(
                    list.get(), X509V3_EXT_conf_nid(nullptr, nullptr, NID_basic_constraints, "CA:TRUE"));
                X509_REQ_add_extensions_nid(request, list.get(), NID_ms_ext_req);
            }),
            "1.3.6.1.4.1.311.2.1.14");
    // What cannot be read as a text cannot be compared, and an issuer that copies it would certify it.
    for (const char* field : {"CN", "serialNumber"}) {
        refused(with([&](X509_REQ* request) {
                    X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(request), field, V_ASN1_BIT_STRING,
                                               reinterpret_cast<const unsigned char*>("ADMIN-1"), -1, -1, 0);
                }),
                "not a string");
    }
    const auto curve = *crypto::generate_key("ec:P-384");
    desk.options.labels[""].key_type = "ec:P-256";
    desk.open();
    CHECK(desk.ask(request_of(curve, {})).word == "unsupported_algorithm");
    CHECK(desk.board->count() == 0);
}

TEST_CASE("FLD-E17: a refusal names the curve or the algorithm of a key that is not allowed")
{
    Desk desk;
    desk.open();
    const auto made = [](const char* algorithm, const std::function<void(EVP_PKEY_CTX*)>& set) {
        EVP_PKEY_CTX* const context = EVP_PKEY_CTX_new_from_name(nullptr, algorithm, nullptr);
        REQUIRE(EVP_PKEY_keygen_init(context) == 1);
        set(context);
        EVP_PKEY* key = nullptr;
        REQUIRE(EVP_PKEY_generate(context, &key) == 1);
        EVP_PKEY_CTX_free(context);
        return crypto::Key::adopt(key);
    };
    const auto on_curve = [&](const char* curve) {
        return made("EC", [&](auto* context) { REQUIRE(EVP_PKEY_CTX_set_group_name(context, curve) == 1); });
    };
    const auto pss = made("RSA-PSS", [](auto* context) { EVP_PKEY_CTX_set_rsa_keygen_bits(context, 2048); });
    const std::vector<std::pair<crypto::Key, std::string>> keys{
        {on_curve("secp256k1"), "ec:secp256k1"},
        {on_curve("brainpoolP256r1"), "ec:brainpoolP256r1"},
        {pss, "rsa-pss:2048"}};
    for (const auto& [key, name] : keys) {
        CAPTURE(name);
        const auto answer = desk.ask(request_of(key, {}));
        CHECK(answer.word == "unsupported_algorithm");
        CHECK(answer.names("a key of type " + name + " is not allowed"));
    }
    // The rule of a label names it as well.
    desk.options.labels[""].key_type = "rsa:2048";
    desk.open();
    const auto answer = desk.ask(request_of(pss, {}));
    CHECK(answer.word == "unsupported_algorithm");
    CHECK(answer.names("the key is rsa-pss:2048, but the policy requires rsa:2048"));
    CHECK(desk.board->count() == 0);
}

TEST_CASE("SEC-14: what devices need is certified, and what a label allows besides")
{
    Desk desk;
    desk.options.limits.orders_per_device = 100;
    desk.open();
    for (const auto& extensions :
         {Extensions{}, Extensions{{"keyUsage", "critical,digitalSignature,keyEncipherment,keyAgreement"}},
          Extensions{{"extendedKeyUsage", "clientAuth,serverAuth"},
                     {"basicConstraints", "critical,CA:FALSE"}},
          Extensions{{"subjectKeyIdentifier", "hash"}}})
        CHECK(desk.ask(request_of(desk.key, extensions)).word == "issued");
    const auto spki = desk.key.spki();
    Bytes of_whole_key(20);
    EVP_Digest(spki.data(), spki.size(), of_whole_key.data(), nullptr, EVP_sha1(), nullptr);
    for (const auto& identifier : {short_key_identifier(desk.key), to_hex(of_whole_key)})
        CHECK(desk.ask(request_of(desk.key, {{"subjectKeyIdentifier", identifier.c_str()}})).word ==
              "issued");
    for (const auto& subject : {Subject{{"CN", kName}}, Subject{{"serialNumber", "SN-1"}},
                                Subject{{"CN", kName}, {"serialNumber", "SN-1"}}})
        CHECK(desk.ask(request_of(desk.key, {}, subject)).word == "issued");
    const auto special = request_of(
        desk.key, {{"tlsfeature", "status_request"}, {"extendedKeyUsage", "emailProtection"}},
        {{"O", "Fleet"}}, [](X509_REQ* request) { add_attribute(request, "unstructuredName", "x"); });
    CHECK(desk.ask(special).word != "issued");
    desk.options.labels[""].allow = {"1.3.6.1.5.5.7.1.24", "1.3.6.1.5.5.7.3.4", "2.5.4.10",
                                     "1.2.840.113549.1.9.2"};
    desk.open();
    CHECK(desk.ask(special).word == "issued");
    CHECK(desk.ask(request_of(desk.key, {{"basicConstraints", "CA:TRUE"}})).word == "bad_request");
    // OpenSSL's configuration file proposes this key usage for requests.
    const auto usage = [&](const char* names) {
        return desk.ask(request_of(desk.key, {{"keyUsage", names}})).word;
    };
    CHECK(usage("nonRepudiation,digitalSignature,keyEncipherment") == "bad_request");
    desk.options.labels[""].allow = {"nonRepudiation", "keyCertSign", "cRLSign"};
    desk.open();
    CHECK(usage("nonRepudiation,digitalSignature,keyEncipherment") == "issued");
    CHECK(usage("nonRepudiation,dataEncipherment") == "bad_request");
    CHECK(usage("keyCertSign") == "bad_request");
    CHECK(usage("cRLSign") == "bad_request");
    for (const char* word : {"nonRepudiation", "dataEncipherment", "2.5.4.10"})
        CHECK(ra::can_be_allowed(word));
    for (const char* word : {"keyCertSign", "cRLSign", "nonrepudiation", "", "bit 9"})
        CHECK_FALSE(ra::can_be_allowed(word));
    // Another list of extensions stays out: nobody looks into it.
    desk.options.labels[""].allow = {"1.3.6.1.4.1.311.2.1.14"};
    desk.open();
    const auto twofold = request_of(desk.key, {}, {}, [](X509_REQ* request) {
        const crypto::ExtensionsPtr list{sk_X509_EXTENSION_new_null()};
        sk_X509_EXTENSION_push(list.get(),
                               X509V3_EXT_conf_nid(nullptr, nullptr, NID_basic_constraints, "CA:TRUE"));
        X509_REQ_add_extensions_nid(request, list.get(), NID_ms_ext_req);
    });
    CHECK(desk.ask(twofold).word == "bad_request");
}

TEST_CASE("FLD-E7: the common name of a request without SAN is its name, unless the label refuses it")
{
    Desk desk;
    desk.options.labels["strict"].cn_is_name = false;
    desk.open();
    const auto ask = [&](const crypto::Csr& csr) {
        auto answer = desk.ask(csr);
        INFO(answer.text);
        return answer.word;
    };
    CHECK(ask(bare_request(desk.key, {{"CN", kName}})) == "issued");
    CHECK(ask(bare_request(desk.key, {{"CN", "SN-1.Domain.com"}, {"serialNumber", "SN-1"}})) == "issued");
    REQUIRE(desk.board->count() == 2);
    for (const auto& order : desk.board->started)
        CHECK(order.identifiers == std::vector<crypto::Identifier>{{"dns", kName}});
    {
        const std::lock_guard lock{desk.events_mutex};
        CHECK(desk.events.back()["identifiers"] == base::Json{kName});
    }
    // It is checked as a name in the SAN is: another device's, another domain's, none that can be certified.
    CHECK(ask(bare_request(desk.key, {{"CN", "sn-2.domain.com"}})) == "bad_identity");
    CHECK(ask(bare_request(desk.key, {{"CN", "www.example.org"}})) == "bad_identity");
    CHECK(ask(bare_request(desk.key, {{"CN", "*.domain.com"}})) == "bad_identity");
    CHECK(ask(bare_request(desk.key, {{"CN", "domain.com"}})) == "bad_identity");
    CHECK(ask(bare_request(desk.key, {{"CN", "192.0.2.1"}})) == "bad_identity");
    // No name, two of them, and a SAN, which decides alone.
    CHECK(ask(bare_request(desk.key, {})) == "bad_request");
    CHECK(ask(bare_request(desk.key, {{"serialNumber", "SN-1"}})) == "bad_request");
    CHECK(ask(bare_request(desk.key, {{"CN", kName}, {"CN", kName}})) == "bad_request");
    CHECK(ask(bare_request(desk.key, {{"CN", kName}}, NID_subject_alt_name, "email:a@domain.com")) ==
          "bad_request");
    CHECK(ask(bare_request(desk.key, {{"CN", kName}}, NID_subject_alt_name, "DNS:sn-2.domain.com")) ==
          "bad_request");
    CHECK(desk.board->count() == 2);

    auto strict = Lab::request(desk.device, bare_request(desk.key, {{"CN", kName}}));
    strict.label = "strict";
    const auto decision = desk.enrol(std::move(strict));
    CHECK(Lab::word(decision) == "bad_request");
    CHECK(std::get<enrol::Refused>(decision).text == "the request has no subject alternative name");
}

TEST_CASE("FLD-E7: a renewal repeats a request without SAN, for EST and for TEAP")
{
    Desk desk;
    desk.open();
    const auto csr = bare_request(desk.key, {{"CN", kName}, {"serialNumber", "SN-1"}});
    const auto first = desk.enrol(Lab::request(desk.device, csr));
    REQUIRE(Lab::word(first) == "issued");
    const auto& certificate = std::get<enrol::Issued>(first).certificate;
    CHECK(desk.ask(csr, &certificate, true).word == "issued");
    CHECK(desk.board->count() == 2);
    auto by_teap = Lab::request(certificate, bare_request(*crypto::generate_key("ec:P-256"),
                                                          {{"CN", kName}, {"serialNumber", "SN-1"}}));
    by_teap.may_renew = true;
    CHECK(Lab::word(desk.enrol(std::move(by_teap))) == "issued");
    const std::lock_guard lock{desk.events_mutex};
    CHECK(desk.events.back()["renewal"] == true);
}

TEST_CASE("FLD-E9: a renewal has the subject of the certificate, or of its request if the CA left it out")
{
    Desk desk;
    desk.open();
    const Subject subject{{"CN", kName}, {"serialNumber", "SN-1"}};
    const auto csr = request_of(desk.key, {}, subject);
    const auto first = desk.enrol(Lab::request(desk.device, csr));
    REQUIRE(Lab::word(first) == "issued");
    const auto certificate = std::get<enrol::Issued>(first).certificate;
    REQUIRE_FALSE(crypto::same_subject(csr, certificate));
    const auto renew = [&](const crypto::Csr& next, const crypto::Certificate& with) {
        const auto answer = desk.ask(next, &with, true);
        INFO(answer.text);
        return answer.word;
    };
    desk.open(); // it is in the store
    const auto before = desk.board->count();
    CHECK(renew(csr, certificate) == "issued");
    CHECK(desk.board->count() == before + 1);
    const auto next_key = *crypto::generate_key("ec:P-256");
    CHECK(renew(request_of(next_key, {}, subject), certificate) == "issued");
    CHECK(renew(*crypto::csr_like(certificate, next_key), certificate) == "issued");
    CHECK(renew(request_of(next_key, {}, {{"CN", kName}}), certificate) == "bad_identity");
    CHECK(renew(request_of(next_key, {}, {{"serialNumber", "SN-1"}, {"CN", kName}}), certificate) ==
          "bad_identity");

    // The certificate of such a renewal renews in the same way, and TEAP takes the request for a renewal.
    auto by_teap = Lab::request(certificate, request_of(*crypto::generate_key("ec:P-256"), {}, subject));
    by_teap.may_renew = true;
    const auto third = desk.enrol(std::move(by_teap));
    REQUIRE(Lab::word(third) == "issued");
    {
        const std::lock_guard lock{desk.events_mutex};
        CHECK(desk.events.back()["renewal"] == true);
    }
    CHECK(renew(request_of(next_key, {}, subject), std::get<enrol::Issued>(third).certificate) == "issued");

    // What another certificate's request had counts for none but that.
    const auto other = desk.maker.idevid("SN-2");
    const auto plain = desk.enrol(Lab::request(other, Lab::csr(next_key, {"sn-2.domain.com"})));
    REQUIRE(Lab::word(plain) == "issued");
    CHECK(renew(request_of(next_key, {}, subject), std::get<enrol::Issued>(plain).certificate) != "issued");
}

TEST_CASE("SEC-14: a renewal keeps the subject of its certificate, and gives it to nobody else")
{
    Desk desk;
    desk.options.wait = 0ms;
    desk.board->hold = true;
    desk.open();
    CHECK(desk.ask(Lab::csr(desk.key, {kName})).word == "pending");
    while (desk.board->count() < 1)
        std::this_thread::sleep_for(1ms);
    // The CA has its own mind about subjects.
    const auto issued =
        test::make_certificate(desk.key, kName, "ADMIN-1", desk.maker.key, "Some CA", false,
                               "20991231235959Z", {{NID_subject_alt_name, std::string{"DNS:"} + kName}});
    desk.board->host->issued(desk.board->started.back().id, {issued});

    const auto next_key = *crypto::generate_key("ec:P-256");
    CHECK(desk.ask(*crypto::csr_like(issued, next_key), &issued, true).word == "pending");
    CHECK(desk.ask(*crypto::csr_like(issued, next_key)).word == "bad_request");

    // Who it is, the registration authority has in its own records.
    const auto told = desk.attributes(&issued);
    REQUIRE(std::holds_alternative<enrol::CsrAttributes>(told));
    CHECK(std::get<enrol::CsrAttributes>(told).device_serial == "SN-1");
}

} // namespace acmetool
