#include <doctest/doctest.h>

#include <set>

#include "base/wipe.h"
#include "crypto/digest.h"

using namespace acmetool;
using crypto::Hash;

TEST_CASE("a digest is that of all its parts in a row")
{
    // RFC 1321 section A.5 and FIPS 180-4, message "abc".
    CHECK(to_hex(*crypto::digest(Hash::md5, {as_bytes("a"), {}, as_bytes("bc")})) ==
          "900150983cd24fb0d6963f7d28e17f72");
    CHECK(to_hex(*crypto::digest(Hash::sha1, {as_bytes("abc")})) ==
          "a9993e364706816aba3e25717850c26c9cd0d89d");
    CHECK(to_hex(crypto::sha256(as_bytes("abc"))) ==
          "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(*crypto::digest(Hash::sha256, {as_bytes("ab"), as_bytes("c")}) == crypto::sha256(as_bytes("abc")));
    CHECK(crypto::digest(Hash::sha384, {})->size() == 48);
    CHECK(crypto::digest(Hash::sha512, {})->size() == 64);
}

TEST_CASE("HMAC is that of RFC 2202 and RFC 4231")
{
    const auto mac = [](Hash hash) {
        return to_hex(*crypto::hmac(hash, as_bytes("Jefe"), as_bytes("what do ya want for nothing?")));
    };
    CHECK(mac(Hash::md5) == "750c783e6ab0b503eaa86e310a5db738");
    CHECK(mac(Hash::sha256) == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST_CASE("octets are compared as a whole")
{
    CHECK(crypto::equal_in_constant_time(as_bytes("one"), as_bytes("one")));
    CHECK(crypto::equal_in_constant_time({}, {}));
    CHECK_FALSE(crypto::equal_in_constant_time(as_bytes("one"), as_bytes("onf")));
    CHECK_FALSE(crypto::equal_in_constant_time(as_bytes("one"), as_bytes("on")));
    CHECK_FALSE(crypto::equal_in_constant_time(as_bytes("on"), as_bytes("one")));
}

TEST_CASE("random octets and numbers differ each time")
{
    CHECK(crypto::random_bytes(0).empty());
    CHECK(crypto::random_bytes(16) != crypto::random_bytes(16));
    std::set<std::uint64_t> numbers;
    for (int i = 0; i < 8; ++i)
        numbers.insert(crypto::random_number<std::uint64_t>());
    CHECK(numbers.size() == 8);
}

TEST_CASE("what is wiped is zeros of the same size")
{
    std::string text = "secret";
    base::wipe(text);
    CHECK(text == std::string(6, '\0'));
    Bytes octets{1, 2, 3};
    base::wipe(octets);
    CHECK(octets == Bytes(3));
    Bytes none;
    base::wipe(none);
    CHECK(none.empty());
}
