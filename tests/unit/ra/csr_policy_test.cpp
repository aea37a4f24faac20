#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "crypto/csr_remake.h"
#include "crypto/der.h"
#include "crypto/openssl.h"
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

TEST_CASE("SEC-14, ESTS-24: what a request must not ask for is refused by its name before any issuer")
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
