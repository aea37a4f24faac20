#include <doctest/doctest.h>

#include <chrono>

#include "base/context.h"
#include "crypto/certificate_builder.h"
#include "crypto/issuer_memory.h"

using namespace acmetool;

namespace
{

crypto::Certificate certificate_of(const std::string& name, const crypto::Key& key,
                                   const crypto::Certificate* issuer, const crypto::Key& issuer_key)
{
    const auto now = base::Context{}.now();
    crypto::CertificateProfile profile;
    profile.common_name = name;
    profile.not_before = now;
    profile.not_after = now + std::chrono::hours{1};
    profile.extensions = {{"basicConstraints", "critical,CA:TRUE"}};
    return *crypto::build_certificate(profile, key, issuer, issuer_key);
}

} // namespace

TEST_CASE("an issuer that is remembered is no other of its name, and issued no certificate that was changed")
{
    const auto key = *crypto::generate_key("ec:P-256");
    const auto other_key = *crypto::generate_key("ec:P-256");
    const auto issuer = certificate_of("CA", key, nullptr, key);
    const auto other = certificate_of("CA", other_key, nullptr, other_key);
    const auto below = certificate_of("below", other_key, &issuer, key);
    auto& memory = crypto::IssuerMemory::instance();
    CHECK_FALSE(memory.knows(crypto::IssuerMemory::name_of(below, issuer)));
    for (int i = 0; i < 2; ++i) {
        CHECK(below.is_issued_by(issuer));
        CHECK_FALSE(below.is_issued_by(other));
        CHECK_FALSE(issuer.is_issued_by(below));
    }
    CHECK(memory.knows(crypto::IssuerMemory::name_of(below, issuer)));
    CHECK_FALSE(memory.knows(crypto::IssuerMemory::name_of(below, other)));
    auto der = below.der();
    der.back() ^= 1U;
    const auto changed = crypto::parse_certificates(as_text(der), "changed");
    REQUIRE(changed);
    CHECK_FALSE(changed->front().is_issued_by(issuer));
}

TEST_CASE("issuers: the oldest are forgotten, and the number of those remembered is bounded")
{
    crypto::IssuerMemory memory;
    for (int i = 0; i < 600; ++i)
        memory.add(std::to_string(i));
    CHECK(memory.knows("0"));
    CHECK(memory.knows("599"));
    for (int i = 600; i < 2000; ++i)
        memory.add(std::to_string(i));
    CHECK_FALSE(memory.knows("0"));
    int known = 0;
    for (int i = 0; i < 2000; ++i)
        known += memory.knows(std::to_string(i)) ? 1 : 0;
    CHECK(known <= 1024);
    CHECK(memory.knows("1999"));
}
