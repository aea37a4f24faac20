#include <doctest/doctest.h>

#include "crypto/anchor_store.h"
#include "crypto/certificate_builder.h"
#include "crypto/path.h"

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

} // namespace

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
    CHECK(middle.verify({world.device}, PathPolicy::idevid(world.now)));
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
