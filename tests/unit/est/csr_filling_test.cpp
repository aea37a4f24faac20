#include <doctest/doctest.h>

#include "../crypto/certificates.h"
#include "crypto/openssl.h"
#include "est/csr_filling.h"

using namespace acmetool;

namespace
{

std::string text_of(const crypto::Csr& csr)
{
    const auto* data = csr.der.data();
    const crypto::ReqPtr request{d2i_X509_REQ(nullptr, &data, static_cast<long>(csr.der.size()))};
    const crypto::BioPtr out{BIO_new(BIO_s_mem())};
    X509_REQ_print(out.get(), request.get());
    return crypto::contents(out.get());
}

std::vector<std::string> names_of(const std::vector<est::Unfilled>& unfilled)
{
    std::vector<std::string> names;
    for (const auto& open : unfilled)
        names.push_back(open.name);
    return names;
}

bool has(const std::string& text, const char* part)
{
    return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("CSR-09c, CSR-09d, CSR-11b: the template of RFC 9908 section 3.4 becomes a CSR, holes filled")
{
    ACMETOOL_VECTOR(sample, "made/csrattrs-rfc9908-3.4-example.der");
    const auto asked = *est::parse_csrattrs(as_bytes(sample));
    est::Filling filling;
    filling.identifiers = {{"ip", "192.0.2.7"}};
    filling.common_name = "device.example.com";
    const auto filled = est::fill_csr(asked, filling);
    REQUIRE(filled);
    CHECK(filled->unfilled.empty());
    const auto csr = crypto::build_csr(*crypto::generate_key("ec:P-256"), filled->options);
    REQUIRE(csr);
    const auto text = text_of(*csr);
    CAPTURE(text);
    CHECK(has(text, "Subject: CN=device.example.com, OU=myDept, OU=myGroup"));
    CHECK(has(text, "DNS:www.myServer.com, IP Address:192.0.2.7"));
    CHECK(has(text, "X509v3 Key Usage: critical\n                    Digital Signature, Key Agreement"));
    CHECK(has(text, "TLS Web Client Authentication"));
    CHECK(has(text, "ecdsa-with-SHA256"));
}

TEST_CASE("CSR-11c: what the client does not have is named and left out")
{
    ACMETOOL_VECTOR(sample, "made/csrattrs-rfc9908-3.4-example.der");
    auto asked = *est::parse_csrattrs(as_bytes(sample));
    (*asked.subject)[1][0].value.clear();
    asked.extensions.push_back({"1.2.3.4", false, std::nullopt});
    const auto filled = est::fill_csr(asked, {});
    REQUIRE(filled);
    CHECK(names_of(filled->unfilled) ==
          std::vector<std::string>{"iPAddress of subjectAltName", "extension 1.2.3.4", "OU of the subject"});
    CHECK(filled->unfilled[0].option == "--ip");
    CHECK(filled->unfilled[1].option.empty());
    // The CN is the first DNS name of the SAN, which the server gave.
    const auto csr = crypto::build_csr(*crypto::generate_key("ec:P-256"), filled->options);
    REQUIRE(csr);
    CHECK(csr->common_name == "www.myserver.com");
    CHECK(csr->identifiers == std::vector<crypto::Identifier>{{"dns", "www.myserver.com"}});

    // A SAN of holes alone: dNSName, iPAddress, and a directoryName with NULL-DN.
    est::CsrAttrs holes;
    holes.extensions.push_back(
        {"2.5.29.17", true, Bytes{0x30, 0x08, 0x82, 0x00, 0x87, 0x00, 0xa4, 0x02, 0x30, 0x00}});
    est::Filling filling;
    filling.identifiers = {{"dns", "a.example"}};
    filling.suggestions = {{"dns", "not.needed"}};
    const auto some = est::fill_csr(holes, filling);
    REQUIRE(some);
    CHECK(names_of(some->unfilled) ==
          std::vector<std::string>{"iPAddress of subjectAltName", "directoryName of subjectAltName"});
    REQUIRE(some->options.extensions.size() == 1);
    CHECK(some->options.extensions[0].critical);
    CHECK(est::fill_csr(holes, {})->options.extensions.empty());
    // No value at all: all names of the client.
    holes.extensions[0].value.reset();
    filling.suggestions = {{"ip", "2001:db8::1"}};
    const auto both =
        crypto::build_csr(*crypto::generate_key("ec:P-256"), est::fill_csr(holes, filling)->options);
    REQUIRE(both);
    CHECK(both->identifiers == std::vector<crypto::Identifier>{{"dns", "a.example"}, {"ip", "2001:db8::1"}});
    CHECK(names_of(est::fill_csr(holes, {})->unfilled) == std::vector<std::string>{"subjectAltName"});
}

TEST_CASE("CSR-11a: a name that the server leaves no room for is refused, a suggestion dropped")
{
    ACMETOOL_VECTOR(sample, "made/csrattrs-san-both.der");
    const auto asked = *est::parse_csrattrs(as_bytes(sample));
    est::Filling filling;
    filling.identifiers = {{"dns", "client.example.com"}}; // the very name that was given
    filling.suggestions = {{"dns", "mine.example.com"}};
    const auto filled = est::fill_csr(asked, filling);
    REQUIRE(filled);
    const auto csr = crypto::build_csr(*crypto::generate_key("ec:P-256"), filled->options);
    CHECK(csr->identifiers == std::vector<crypto::Identifier>{{"dns", "client.example.com"}});
    filling.identifiers = {{"dns", "other.example.com"}};
    const auto refused = est::fill_csr(asked, filling);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().reason.word() == "csrattrsSan");
}

TEST_CASE("CSR-09a, CSR-09b: the key has to be of the type asked for, the hash is the one asked for")
{
    const auto p256 = *crypto::generate_key("ec:P-256");
    est::CsrAttrs asked;
    for (const auto* type : {"", "ec", "ec:P-256"}) {
        asked.key_type = type;
        CHECK(est::check_key(asked, p256));
    }
    for (const auto* type : {"ec:P-384", "rsa", "ed25519", "ec:1.3.132.0.10", "other:1.2.3"}) {
        asked.key_type = type;
        const auto refused = est::check_key(asked, p256);
        REQUIRE_FALSE(refused);
        CHECK(refused.error().reason.word() == "csrattrsKey");
    }
    asked.digest = "sha512";
    est::Filling filling;
    filling.identifiers = {{"dns", "a.example"}};
    filling.common_name = "a.example";
    const auto csr = crypto::build_csr(p256, est::fill_csr(asked, filling)->options);
    REQUIRE(csr);
    CHECK(has(text_of(*csr), "ecdsa-with-SHA512"));
    CHECK(csr->common_name == "a.example");
}

TEST_CASE("FLD-A13: a name that is given twice is written once and takes one place")
{
    est::Filling filling;
    filling.identifiers = {
        {"dns", "a.example"}, {"dns", "A.example"}, {"ip", "::1"}, {"ip", "0:0:0:0:0:0:0:1"}};
    filling.suggestions = {{"dns", "a.example"}};
    const auto count = [](const crypto::Csr& csr, const char* word) {
        const auto text = text_of(csr);
        std::size_t found = 0;
        for (auto at = text.find(word); at != std::string::npos; at = text.find(word, at + 1))
            ++found;
        return found;
    };
    const auto key = *crypto::generate_key("ec:P-256");
    const auto free = crypto::build_csr(key, est::fill_csr({}, filling)->options);
    REQUIRE(free);
    CHECK(count(*free, "DNS:") == 1);
    CHECK(count(*free, "IP Address:") == 1);
    est::CsrAttrs asked; // one DNS name and one address, both open
    asked.extensions.push_back({"2.5.29.17", false, Bytes{0x30, 0x04, 0x82, 0x00, 0x87, 0x00}});
    const auto filled = est::fill_csr(asked, filling);
    REQUIRE(filled);
    const auto held = crypto::build_csr(key, filled->options);
    REQUIRE(held);
    CHECK(count(*held, "DNS:") == 1);
    CHECK(count(*held, "IP Address:") == 1);
    // A name that the server wrote with capitals is not a second one.
    asked.extensions[0].value = Bytes{0x30, 0x0b, 0x82, 0x09, 'A', '.', 'e', 'x', 'A', 'm', 'p', 'l', 'e'};
    filling.identifiers = {{"dns", "a.example"}};
    CHECK(est::fill_csr(asked, filling));
}
