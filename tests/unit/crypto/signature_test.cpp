#include <doctest/doctest.h>

#include "crypto/public_numbers.h"
#include "crypto/signature.h"

using namespace acmetool;
using crypto::Hash;

TEST_CASE("a signature is checked with the key's public half and the same hash")
{
    const Bytes data{1, 2, 3};
    const Bytes other{1, 2, 4};
    for (const auto& [type, hash] :
         std::vector<std::pair<const char*, std::optional<Hash>>>{{"ec:P-256", Hash::sha256},
                                                                  {"ec:P-521", Hash::sha512},
                                                                  {"rsa:2048", Hash::sha256},
                                                                  {"ed25519", {}}}) {
        CAPTURE(type);
        const auto key = *crypto::generate_key(type);
        const auto signature = crypto::make_signature(key, hash, data);
        REQUIRE(signature);
        const auto numbers = crypto::public_numbers(key);
        REQUIRE(numbers);
        const auto half = *crypto::make_public_key(*numbers);
        CHECK(half.same_public_key(key));
        CHECK(crypto::check_signature(half, hash, data, *signature));
        CHECK_FALSE(crypto::check_signature(half, hash, other, *signature));
        CHECK_FALSE(crypto::check_signature(*crypto::generate_key(type), hash, data, *signature));
        CHECK_FALSE(crypto::make_signature(half, hash, data)); // nothing to sign with
    }
}

TEST_CASE("an ECDSA signature as a pair of numbers is the same one")
{
    const auto key = *crypto::generate_key("ec:P-256");
    const Bytes data{1};
    const auto der = *crypto::make_signature(key, Hash::sha256, data);
    const auto pair = crypto::ecdsa_pair(der, 32);
    REQUIRE(pair);
    CHECK(pair->size() == 64);
    CHECK(crypto::check_signature(key, Hash::sha256, data, crypto::ecdsa_der(*pair)));
    CHECK_FALSE(crypto::ecdsa_pair(Bytes{1, 2, 3}, 32));
    CHECK_FALSE(crypto::ecdsa_pair(der, 8)); // they do not fit
}

TEST_CASE("numbers that are no key are refused")
{
    auto point = std::get<crypto::EcPoint>(*crypto::public_numbers(*crypto::generate_key("ec:P-256")));
    CHECK(crypto::make_public_key(point));
    auto changed = point;
    changed.y.back() ^= 1U; // off the curve
    CHECK_FALSE(crypto::make_public_key(changed));
    changed = point;
    changed.x.pop_back();
    CHECK(crypto::make_public_key(changed).error().message == "bad length of \"x\"");
    changed = point;
    changed.type = "ec:P-224";
    CHECK_FALSE(crypto::make_public_key(changed));
    CHECK_FALSE(crypto::make_public_key(crypto::RsaNumbers{Bytes(128, 0xff), {1, 0, 1}})); // 1024 bits
    CHECK_FALSE(crypto::make_public_key(crypto::Ed25519Octets{Bytes(31)}));
}
