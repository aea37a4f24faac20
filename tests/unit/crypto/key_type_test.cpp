#include <doctest/doctest.h>

#include "crypto/key.h"
#include "crypto/key_type.h"

using namespace acmetool;

TEST_CASE("a new key has the type that was asked for, and the default for what is left open")
{
    CHECK(crypto::new_key_type("") == crypto::kDefaultKeyType);
    CHECK(crypto::new_key_type("ec") == crypto::kDefaultKeyType);
    CHECK(crypto::new_key_type("rsa") == crypto::kDefaultRsaType);
    for (const auto* type : {"ec:P-384", "rsa:2048", "ed25519", "nonsense"})
        CHECK(crypto::new_key_type(type) == type);
    const auto key = crypto::generate_key(crypto::new_key_type(""));
    REQUIRE(key);
    CHECK(key->type() == crypto::kDefaultKeyType);
    CHECK(crypto::generate_key(crypto::new_key_type("rsa")).has_value());
}
