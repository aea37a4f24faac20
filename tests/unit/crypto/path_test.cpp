#include <chrono>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "crypto/anchor_store.h"
#include "crypto/certificate_builder.h"
#include "crypto/crl.h"
#include "crypto/extension.h"
#include "crypto/path.h"
#include "key_update.h"

using namespace acmetool;
using crypto::Certificate;
using crypto::ChainEnd;
using crypto::PathPolicy;

namespace
{

struct PathWorld {
    crypto::Key key = *crypto::generate_key("ec:P-256"); ///< of all of them
    base::TimePoint now = base::now();
    Certificate root = make("root", nullptr, true);
    Certificate middle = make("middle", &root, true);
    Certificate device = make("device", &middle, false);

    Certificate make(const std::string& name, const Certificate* issuer, bool is_ca,
                     const std::string& usage = "clientAuth") const
    {
        crypto::CertificateProfile profile;
        profile.common_name = name;
        profile.not_before = now - std::chrono::hours{1};
        profile.not_after = now + std::chrono::hours{1};
        profile.extensions = {{"basicConstraints", is_ca ? "critical,CA:TRUE" : "critical,CA:FALSE"}};
        if (!is_ca) profile.extensions.emplace_back("extendedKeyUsage", usage);
        return *crypto::build_certificate(profile, key, issuer, key);
    }
};

std::vector<std::string> subjects(const std::vector<Certificate>& chain)
{
    std::vector<std::string> names;
    for (const auto& one : chain)
        names.push_back(one.subject());
    return names;
}

/// CAs with keys that certify each other.
struct CrossWorld {
    base::TimePoint now = base::now();

    struct Ca {
        std::string name;
        crypto::Key key = *crypto::generate_key("ec:P-256");
    };
    Ca one{"root one"};
    Ca two{"root two"};
    Ca maker{"maker"};
    crypto::Key device_key = *crypto::generate_key("ec:P-256");

    Certificate sign(const std::string& name, const crypto::Key& key, const Certificate* issuer, const Ca& by,
                     bool is_ca, std::chrono::hours until = std::chrono::hours{1}) const
    {
        crypto::CertificateProfile profile;
        profile.common_name = name;
        profile.not_before = now - std::chrono::hours{3};
        profile.not_after = now + until;
        profile.extensions = {{"basicConstraints", is_ca ? "critical,CA:TRUE" : "critical,CA:FALSE"}};
        return *crypto::build_certificate(profile, key, issuer, by.key);
    }
    Certificate root(const Ca& ca) const { return sign(ca.name, ca.key, nullptr, ca, true); }
    Certificate cross(const Ca& ca, const Ca& by) const
    {
        const auto issuer = root(by);
        return sign(ca.name, ca.key, &issuer, by, true);
    }
    Certificate device(std::chrono::hours until = std::chrono::hours{1}) const
    {
        const auto issuer = root(maker);
        return sign("device", device_key, &issuer, maker, false, until);
    }
};

} // namespace

TEST_CASE("FLD-E14: a chain with cross certificates verifies in either order")
{
    const CrossWorld world;
    const auto now = world.now;
    const auto by_one = world.cross(world.maker, world.one);
    const auto by_two = world.cross(world.maker, world.two);
    const auto itself = world.root(world.maker);
    const auto ordered = [&](const std::vector<Certificate>& others) {
        std::vector<std::vector<Certificate>> chains(2, {world.device()});
        chains[0].insert(chains[0].end(), others.begin(), others.end());
        chains[1].insert(chains[1].end(), others.rbegin(), others.rend());
        return chains;
    };
    for (const auto& root : {world.root(world.one), world.root(world.two)}) {
        const crypto::AnchorStore store{{root}};
        for (const auto& chain : ordered({by_one, by_two, itself})) {
            const auto path = store.verify(chain, PathPolicy::idevid(now));
            REQUIRE_MESSAGE(path, path.error().message);
            CHECK(path->size() == 3);
            CHECK(path->back().sha256() == root.sha256());
            CHECK(store.is_above(chain));
            CHECK(crypto::verify_path(chain.front(), {chain.begin() + 1, chain.end()}, {{root}, {}, false},
                                      PathPolicy::idevid(now)));
        }
        // Two levels: root one and root two certify each other as well.
        for (const auto& chain :
             ordered({by_one, world.cross(world.one, world.two), by_two, world.cross(world.two, world.one)}))
            CHECK(store.verify(chain, PathPolicy::idevid(now)));
    }
    // None leads to a third, and what is wrong with the device is said in either order.
    const crypto::AnchorStore third{{world.root({"root three"})}};
    const crypto::AnchorStore two{{world.root(world.two)}};
    for (const auto& chain : ordered({by_one, by_two})) {
        CHECK_FALSE(third.verify(chain, PathPolicy::idevid(now)));
        CHECK_FALSE(third.is_above(chain));
        const auto late = two.verify(chain, PathPolicy::idevid(now + std::chrono::hours{2}));
        REQUIRE_FALSE(late);
        CHECK(late.error().message.find("certificate has expired") != std::string::npos);
        CHECK(two.is_above(chain));
    }
    // A certificate of the same name and another key is no way.
    const CrossWorld other;
    CHECK_FALSE(
        two.verify({world.device(), by_one, other.cross(other.maker, other.two)}, PathPolicy::idevid(now)));
}

TEST_CASE("FLD-E14, SEC-10: the search for another path ends, however many certificates there are")
{
    const CrossWorld world;
    std::vector<Certificate> chain{world.device()};
    // Each of a dozen could be the issuer of each other.
    for (int i = 0; i < 12; ++i) {
        const auto to = world.root({"there"});
        chain.push_back(world.sign("maker", world.maker.key, &to, world.one, true));
        chain.push_back(world.sign("there", world.two.key, &chain[1], world.maker, true));
    }
    const crypto::AnchorStore store{{world.root(world.one)}};
    CHECK_FALSE(store.verify(chain, PathPolicy::idevid(world.now)));
    CHECK_FALSE(store.is_above(chain));
}

TEST_CASE("FLD-E11: a certificate that expired counts for the grace, the certificates above it do not")
{
    const CrossWorld world;
    const auto now = world.now;
    using std::chrono::hours;
    const crypto::AnchorStore store{{world.root(world.maker)}};
    auto policy = PathPolicy::idevid(now);
    const auto refused = [&](const std::vector<Certificate>& chain) {
        const auto path = store.verify(chain, policy);
        return path ? std::string{} : path.error().message;
    };
    const auto old = world.device(hours{-1});
    CHECK(refused({old}) == "certificate has expired (CN=device at depth 0): it expired at " +
                                base::to_rfc3339(now - hours{1}) + ", and this clock is at " +
                                base::to_rfc3339(now));
    policy.grace = std::chrono::minutes{59};
    CHECK(refused({old}) != "");
    policy.grace = std::chrono::minutes{61};
    CHECK(refused({old}) == "");
    CHECK(store.verify({old}, policy)->size() == 2);

    const auto root = world.root(world.one);
    const crypto::AnchorStore above{{root}};
    const auto old_ca = world.sign("maker", world.maker.key, &root, world.one, true, hours{-1});
    CHECK_FALSE(above.verify({world.device(), old_ca}, policy));
    CHECK_FALSE(above.verify({old, old_ca}, policy));
    // It is for what has expired, not for what is not valid yet.
    policy.grace = hours{1000};
    policy.at = now - hours{4};
    CHECK(refused({world.device()}) ==
          "certificate is not yet valid (CN=maker at depth 1): it is not valid before " +
              base::to_rfc3339(now - hours{3}) + ", and this clock is at " +
              base::to_rfc3339(now - hours{4}));
}

TEST_CASE("FLD-E11: without a clock, what matters is the beginning of the certificate")
{
    const CrossWorld world;
    using std::chrono::hours;
    auto policy = PathPolicy::tls_server();
    policy.at = base::TimePoint{};
    const crypto::AnchorStore store{{world.root(world.maker)}};
    CHECK_FALSE(store.verify({world.device()}, policy));
    policy.clock = false;
    CHECK(store.verify({world.device()}, policy));
    CHECK(store.verify({world.device(hours{-1})}, policy));
    const CrossWorld other;
    CHECK_FALSE(store.verify({other.device()}, policy));
}

TEST_CASE("a chain is built upwards from what is known, in whatever order")
{
    const PathWorld world;
    using Names = std::vector<std::string>;
    const auto names = [&](const std::vector<Certificate>& known, ChainEnd end) {
        return subjects(crypto::issuer_chain(world.device, known, end));
    };
    const auto device = world.device.subject();
    const auto middle = world.middle.subject();
    const auto root = world.root.subject();
    CHECK(names({world.root, world.device, world.middle}, ChainEnd::root) == Names{device, middle, root});
    CHECK(names({world.root, world.device, world.middle}, ChainEnd::below_root) == Names{device, middle});
    CHECK(names({world.root}, ChainEnd::root) == Names{device});
    CHECK(names({}, ChainEnd::root) == Names{device});
}

TEST_CASE("SEC-10: what issued nothing in the chain is not in it, and no circle is followed")
{
    const PathWorld world;
    const PathWorld other; // the same names, another key
    CHECK(crypto::issuer_chain(world.device, {other.middle, other.root}, ChainEnd::root).size() == 1);
    // Two that certify each other.
    const auto a = world.make("a", nullptr, true);
    const auto b = world.make("b", &a, true);
    const auto a_by_b = world.make("a", &b, true);
    const auto below = world.make("below", &a, false);
    CHECK(crypto::issuer_chain(below, {a_by_b, b}, ChainEnd::root).size() == 3);
    // An end entity certifies nothing.
    const auto child = world.make("child", &world.device, false);
    CHECK(crypto::issuer_chain(child, {world.device, world.middle}, ChainEnd::root).size() == 1);
}

TEST_CASE("a policy decides about the purpose and the time, for both ways to validate a path")
{
    const PathWorld world;
    const crypto::AnchorStore store{{world.root}};
    const auto both = [&](const Certificate& certificate, const PathPolicy& policy) {
        const bool by_store = store.verify({certificate, world.middle}, policy).has_value();
        const bool by_list =
            crypto::verify_path(certificate, {world.middle}, {{world.root}, {}, false}, policy).has_value();
        CHECK(by_store == by_list);
        return by_store;
    };
    const auto server = world.make("server", &world.middle, false, "serverAuth");
    CHECK(both(server, PathPolicy::tls_server()));
    CHECK_FALSE(both(world.device, PathPolicy::tls_server()));
    CHECK(both(world.device, PathPolicy::known_est_server()));
    CHECK(both(world.middle, PathPolicy::ca_certificate()));
    CHECK(both(world.device, PathPolicy::idevid(world.now)));
    const auto later = world.now + std::chrono::hours{2};
    CHECK_FALSE(both(world.device, PathPolicy::idevid(later)));
    CHECK_FALSE(both(world.device, PathPolicy::voucher_signer(later)));
    CHECK_FALSE(both(world.device, PathPolicy::registrar(later)));
    CHECK_FALSE(both(world.device, PathPolicy::issued(later)));
}

TEST_CASE("an anchor need not be self-signed, and the path that was found is returned")
{
    const PathWorld world;
    const crypto::AnchorStore middle{{world.middle}};
    const auto from_store = middle.verify({world.device}, PathPolicy::idevid(world.now));
    REQUIRE(from_store);
    CHECK(subjects(*from_store) == std::vector{world.device.subject(), world.middle.subject()});
    const auto path =
        crypto::verify_path(world.device, {}, {{world.middle}, {}, false}, PathPolicy::known_est_server());
    REQUIRE(path);
    CHECK(subjects(*path) == std::vector{world.device.subject(), world.middle.subject()});
    const auto none =
        crypto::verify_path(world.device, {}, {{world.root}, {}, false}, PathPolicy::ca_certificate());
    REQUIRE_FALSE(none);
    CHECK(none.error().code == Errc::refused);
    CHECK(none.error().reason.word() == "path");
    CHECK_FALSE(crypto::AnchorStore{}.verify({world.device}, PathPolicy::idevid(world.now)));
}

TEST_CASE("INT-28a: an issuer's chain ends at a self-signed certificate, not in its key update certificates")
{
    const test::KeyUpdate ca;
    const std::vector<Certificate> known{ca.new_with_old, ca.old_with_new, ca.new_with_new, ca.old_with_old,
                                         ca.middle};
    const auto below = crypto::issuer_chain(ca.end(), known, ChainEnd::below_root);
    REQUIRE(below.size() == 2);
    CHECK(below[1].sha256() == ca.middle.sha256());
    const auto whole = crypto::issuer_chain(ca.end(), known, ChainEnd::root);
    REQUIRE(whole.size() == 3);
    CHECK(whole[2].sha256() == ca.new_with_new.sha256());

    for (const auto& link : {ca.old_with_new, ca.new_with_old})
        CHECK(crypto::is_key_update(link, known));
    for (const auto& other : {ca.old_with_old, ca.new_with_new, ca.middle})
        CHECK_FALSE(crypto::is_key_update(other, known));
    CHECK_FALSE(crypto::is_key_update(ca.old_with_new, {ca.new_with_new}));
}

TEST_CASE("FLD-E6: URLs of an issuer's certificate: http only, without blanks, five at most")
{
    const test::KeyUpdate ca;
    const auto urls = [&](const std::string& value) {
        return crypto::issuer_urls(ca.end({{"authorityInfoAccess", value}}));
    };
    CHECK(urls("caIssuers;URI:http://ca.example/int.cer") ==
          std::vector<std::string>{"http://ca.example/int.cer"});
    CHECK(urls("OCSP;URI:http://ca.example/ocsp,caIssuers;URI:ldap://ca.example/x,caIssuers;DNS:x.example,"
               "caIssuers;URI:file:///etc/passwd,caIssuers;URI:http://a b/,caIssuers;URI:http://two/") ==
          std::vector<std::string>{"http://two/"});
    std::string many = "caIssuers;URI:http://0/";
    for (int i = 1; i < 9; ++i)
        many += ",caIssuers;URI:http://" + std::to_string(i) + "/";
    CHECK(urls(many).size() == 5);
    CHECK(crypto::issuer_urls(ca.end()).empty());
    CHECK(crypto::issuer_urls(ca.end({{"1.3.6.1.5.5.7.1.1", "DER:04020101"}})).empty());
}

TEST_CASE(
    "a path that was valid is not verified again in the same second, by whoever trusts the same anchors")
{
    const PathWorld world;
    const std::vector<Certificate> chain{world.device, world.middle};
    const auto policy = PathPolicy::idevid(world.now);
    const auto first = crypto::AnchorStore{{world.root}}.verify(chain, policy);
    REQUIRE(first);
    const auto sent_again = *crypto::parse_certificates(crypto::to_pem(chain), "chain");
    REQUIRE(sent_again.front().get() != chain.front().get());
    const crypto::AnchorStore same{{world.root}};
    const auto again = same.verify(sent_again, policy);
    REQUIRE(again);
    CHECK(again->front().get() == first->front().get());
    CHECK(subjects(*again) == subjects(*first));

    const auto later = same.verify(sent_again, PathPolicy::idevid(world.now + std::chrono::seconds{1}));
    REQUIRE(later);
    CHECK(later->front().get() == sent_again.front().get());
    CHECK_FALSE(same.verify(sent_again, PathPolicy::idevid(world.now + std::chrono::hours{2})));
    auto revocation = policy;
    revocation.crls =
        std::make_shared<const crypto::CrlSet>(std::vector<crypto::Crl>{}, crypto::StaleCrl::refuse);
    CHECK_FALSE(same.verify(sent_again, revocation));
}

TEST_CASE("a path that was valid says nothing about other anchors, other certificates and other purposes")
{
    const PathWorld world;
    const PathWorld other;
    const std::vector<Certificate> chain{world.device, world.middle};
    const auto policy = PathPolicy::idevid(world.now);
    REQUIRE(crypto::AnchorStore{{world.root}}.verify(chain, policy));
    CHECK_FALSE(crypto::AnchorStore{{other.root}}.verify(chain, policy));
    CHECK_FALSE(crypto::AnchorStore{}.verify(chain, policy));
    CHECK_FALSE(crypto::AnchorStore{{world.root}}.verify({world.device}, policy));
    CHECK_FALSE(crypto::AnchorStore{{world.root}}.verify({world.device, other.middle}, policy));
    CHECK_FALSE(
        crypto::AnchorStore{{world.root}}.verify(chain, PathPolicy::registration_authority(world.now)));
    auto octets = world.device.der();
    octets.back() ^= 1U;
    const auto changed = crypto::parse_certificates(as_text(octets), "changed");
    REQUIRE(changed);
    CHECK_FALSE(crypto::AnchorStore{{world.root}}.verify({changed->front(), world.middle}, policy));
}
