#include <doctest/doctest.h>

#include "acme/revocation.h"

using namespace acmetool;

TEST_CASE("ACME-37c: reasons by RFC 5280's name, in any case, and by number; 7 is none")
{
    CHECK(acme::parse_revocation_reason("unspecified") == 0);
    CHECK(acme::parse_revocation_reason("KEYcompromise") == 1);
    CHECK(acme::parse_revocation_reason("removeFromCRL") == 8);
    CHECK(acme::parse_revocation_reason("aACompromise") == 10);
    CHECK(acme::parse_revocation_reason("6") == 6);
    for (const auto* text : {"", "7", "11", "-1", "1x", "key", "99999999999"}) {
        CAPTURE(text);
        const auto reason = acme::parse_revocation_reason(text);
        REQUIRE_FALSE(reason);
        CHECK(reason.error().code == Errc::usage);
        CHECK(reason.error().hint.find("cessationOfOperation") != std::string::npos);
    }
    CHECK(acme::revocation_reason_name(9) == "privilegeWithdrawn");
    CHECK(acme::revocation_reason_name(7).empty());
    CHECK(acme::revocation_reason_name(11).empty());
}
