#include <doctest/doctest.h>

#include "ra/exclusion.h"

using namespace acmetool;

TEST_CASE("SEC-04: serial numbers as people copy them")
{
    for (const auto* text : {"0abc", "ABC", "0xabc", "0A:BC", "00:0a:bc"})
        CHECK(ra::parse_serial(text).value_or("") == "0abc");
    for (const auto* text : {"", "0", "0x", "device0001", "ab cd", "-1"})
        CHECK_FALSE(ra::parse_serial(text));
}

TEST_CASE("SEC-04: a store that is not there is not made")
{
    store::Options store;
    store.sqlite = "/nonexistent/relay.db";
    const auto revoked = ra::revoke_in(store, {"ab"}, {});
    REQUIRE_FALSE(revoked);
    CHECK(revoked.error().reason.word() == "noStore");
    CHECK_FALSE(ra::block_in(store, {""}, ra::Blocking::block, {}));
}
