#include <doctest/doctest.h>

#include "certificates.h"
#include "crypto/certificate_memory.h"

using namespace acmetool;

TEST_CASE("chains: an issuer that an earlier chain had is read once, the end entity each time")
{
    const auto leaf = test::make_identity("end entity").certificate;
    const auto issuer = test::make_identity("issuer").certificate;
    const auto text = crypto::to_pem({leaf, issuer});
    const auto first = crypto::parse_pem_chain(text);
    const auto second = crypto::parse_pem_chain(text);
    REQUIRE(first);
    REQUIRE(second);
    CHECK(first->at(0).get() != second->at(0).get());
    CHECK(first->at(1).get() == second->at(1).get());
    CHECK(second->at(1).der() == issuer.der());
}

TEST_CASE("chains: an issuer that differs by one octet is not the one that is remembered")
{
    const auto leaf = test::make_identity("end entity").certificate;
    const auto issuer = test::make_identity("issuer").certificate;
    REQUIRE(crypto::parse_pem_chain(crypto::to_pem({leaf, issuer})));
    auto der = issuer.der();
    der.back() ^= 1U;
    const auto changed = crypto::parse_certificates(as_text(der), "changed");
    REQUIRE(changed);
    const auto chain = crypto::parse_pem_chain(crypto::to_pem({leaf, changed->front()}));
    REQUIRE(chain);
    CHECK(chain->at(1).der() == der);
}

TEST_CASE("chains: of the issuers remembered, the one that was not asked for the longest is forgotten")
{
    const auto certificate = test::make_identity("issuer").certificate;
    crypto::CertificateMemory memory;
    const auto octets = [](int number) { return Bytes{static_cast<std::uint8_t>(number), 0x30}; };
    for (int number = 0; number < 16; ++number)
        memory.add(octets(number), certificate);
    CHECK(memory.find(octets(0)));
    memory.add(octets(16), certificate);
    CHECK(memory.find(octets(0)));
    CHECK_FALSE(memory.find(octets(1)));
    CHECK(memory.find(octets(16)));
    const Bytes large(9000, 0x30);
    memory.add(large, certificate);
    CHECK_FALSE(memory.find(large));
}
