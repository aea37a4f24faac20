#include <doctest/doctest.h>

#include <algorithm>

#include "../crypto/key_update.h"
#include "est/ca_certificates.h"

using namespace acmetool;
using acmetool::test::contains_once;
using acmetool::test::KeyUpdate;

namespace
{

const std::vector<crypto::Certificate> kNoAnchors;

} // namespace

TEST_CASE("ESTC-08a, ESTC-08b, INT-28a: OldWithOld is trusted with OldWithNew, and not without")
{
    const KeyUpdate ca;
    std::vector<crypto::Certificate> all{ca.old_with_old, ca.new_with_old, ca.old_with_new, ca.new_with_new,
                                         ca.middle};
    for (std::size_t first = 0; first < 2 * all.size(); ++first) {
        std::rotate(all.begin(), all.begin() + 1, all.end()); // in whatever order
        if (first == all.size()) std::reverse(all.begin(), all.end());
        for (const auto& anchors :
             {std::vector<crypto::Certificate>{}, std::vector<crypto::Certificate>{ca.old_with_old},
              std::vector<crypto::Certificate>{ca.new_with_new}}) {
            const auto sorted = est::sort_out(all, anchors);
            REQUIRE(sorted);
            CHECK(sorted->trusted.size() == all.size());
            CHECK(sorted->rejected.empty());
        }
    }
    const auto sorted = est::sort_out({ca.old_with_old, ca.new_with_new, ca.middle}, kNoAnchors);
    REQUIRE(sorted);
    CHECK(contains_once(sorted->trusted, ca.new_with_new));
    REQUIRE(sorted->rejected.size() == 1);
    CHECK(sorted->rejected.front().sha256() == ca.old_with_old.sha256());
}

TEST_CASE("FLD-E5: of each CA in /cacerts the most recent root is trusted, whichever expires last")
{
    const KeyUpdate ca;
    const auto key = *crypto::generate_key("ec:P-256");
    for (const int hours : {10, 5000}) {
        const auto other = ca.ca("TLS root", key, nullptr, key, hours);
        const auto sorted = est::sort_out({ca.new_with_new, ca.middle, other}, kNoAnchors);
        REQUIRE(sorted);
        CHECK(sorted->rejected.empty());
        CHECK(contains_once(sorted->trusted, other));
        CHECK(contains_once(sorted->trusted, ca.middle));
    }
}

TEST_CASE(
    "ESTC-08c, FLD-E5: a fingerprint makes only its certificate an anchor, and a key update leads on from it")
{
    const KeyUpdate ca;
    const auto key = *crypto::generate_key("ec:P-256");
    const auto other = ca.ca("TLS root", key, nullptr, key, 5000);
    const auto sorted = est::sort_out({ca.old_with_old, ca.new_with_new, ca.new_with_old, ca.middle, other},
                                      est::Fingerprint{"sha256", ca.old_with_old.sha256()});
    REQUIRE(sorted);
    CHECK(sorted->trusted.size() == 4);
    REQUIRE(sorted->rejected.size() == 1);
    CHECK(sorted->rejected.front().sha256() == other.sha256());
}

TEST_CASE("INT-28a: a device's chain ends below a root that is known, and does not run through key updates")
{
    const KeyUpdate ca;
    const std::vector<crypto::Certificate> cas{ca.old_with_new, ca.new_with_old, ca.old_with_old,
                                               ca.new_with_new, ca.middle};
    const auto chain = est::chain_of({ca.end()}, cas);
    REQUIRE(chain.size() == 2);
    CHECK(chain[1].sha256() == ca.middle.sha256());
}
