#include <doctest/doctest.h>

#include "base/base64url.h"

using namespace acmetool;

TEST_CASE("ACME-04a, ACME-04b: base64url without padding, and nothing else")
{
    CHECK(base::to_base64url(as_bytes("\x03\xec\xff\xe0\xc1")) == "A-z_4ME"); // RFC 7515 appendix C
    CHECK(as_text(*base::parse_base64url("Zm9vYmE")) == "fooba");
    for (const auto* text : {"Zm9vYg==", "Zm9v+", "Zm9v\n", "Z", "Zh"})
        CHECK_FALSE(base::parse_base64url(text));
    CHECK(base::parse_base64url("")->empty());
    for (const auto& [plain, text] :
         {std::pair{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foobar", "Zm9vYmFy"}}) {
        CHECK(base::to_base64(as_bytes(plain)) == text); // RFC 4648 section 10
        CHECK(as_text(*base::parse_base64(text)) == plain);
    }
    CHECK_FALSE(base::parse_base64("Zg"));
}
