#include <doctest/doctest.h>

#include "../crypto/key_update.h"
#include "crypto/path.h"
#include "fixture.h"
#include "ra/ca_set.h"

using namespace acmetool;
using namespace acmetool::test;

namespace
{

/// Writes PEM files.
struct PemFiles {
    Folder folder;
    int number = 0;

    std::vector<std::string> operator()(const std::vector<crypto::Certificate>& certificates)
    {
        return {folder.write(std::to_string(++number) + ".pem", crypto::to_pem(certificates))};
    }
    std::string refused(const ra::CaCertsOptions& options) const
    {
        const auto read = ra::read_ca_files(options);
        return read ? "" : read.error().reason.word() + ": " + read.error().message;
    }
};

} // namespace

TEST_CASE("FLD-E5, INT-28a: several roots, further anchors and key update certificates are offered once each")
{
    const KeyUpdate ca;
    const Maker other{"TLS root"};
    ra::CaSet set;
    set.set_files(
        {{ca.new_with_new, ca.old_with_old}, {other.certificate}, {}, {ca.old_with_new, ca.new_with_old}},
        ca.now);
    const auto offered = set.offered();
    CHECK(offered.size() == 5);
    for (const auto& one :
         {ca.new_with_new, ca.old_with_old, other.certificate, ca.old_with_new, ca.new_with_old})
        CHECK(contains_once(offered, one));

    std::vector<crypto::Certificate> intermediates;
    CHECK(set.check({ca.end(), ca.middle}, ca.now, intermediates));
    set.set_intermediates({ca.middle.der()}, ca.now);
    CHECK(contains_once(set.offered(), ca.middle));
    // A further anchor is no root of the CA.
    const auto stranger = make_certificate(ca.middle_key, "end", "", other.key, other.name, false);
    CHECK_FALSE(set.check({stranger}, ca.now, intermediates));
    CHECK_FALSE(set.problem().empty());
}

TEST_CASE(
    "INT-28b: an intermediate under a root that is not configured yet is kept, and offered from then on")
{
    const KeyUpdate ca;
    ra::CaSet set;
    set.set_files({{ca.old_with_old}, {}, {}, {}}, ca.now);
    std::vector<crypto::Certificate> intermediates;
    const Maker stray{"Stray"};
    CHECK_FALSE(set.check({ca.end(), ca.middle, stray.certificate}, ca.now, intermediates));
    REQUIRE(intermediates.size() == 1);
    CHECK(intermediates.front().sha256() == ca.middle.sha256());
    set.set_intermediates({ca.middle.der()}, ca.now);
    CHECK(set.offered().size() == 1);

    SUBCASE("by its root")
    {
        set.set_files({{ca.old_with_old, ca.new_with_new}, {}, {}, {}}, ca.now);
    }
    SUBCASE("by NewWithOld alone")
    {
        set.set_files({{ca.old_with_old}, {}, {}, {ca.new_with_old}}, ca.now);
    }
    CHECK(contains_once(set.offered(), ca.middle));
    CHECK(set.check({ca.end(), ca.middle}, ca.now, intermediates));
    CHECK(set.problem().empty());
}

TEST_CASE(
    "FLD-E6, INT-29: configured intermediates are offered if they lead to a root, beside those of chains")
{
    const KeyUpdate ca;
    const Maker other{"Other"};
    const auto lost = make_certificate(ca.middle_key, "lost", "", other.key, other.name, true);
    ra::CaSet set;
    set.set_files({{ca.new_with_new}, {}, {ca.middle, lost}, {}}, ca.now);
    CHECK(set.intermediates() == 1);
    CHECK(contains_once(set.offered(), ca.middle));
    CHECK(set.has_issuer_of(ca.end()));
    set.set_intermediates({ca.middle.der()}, ca.now); // the CA's chains bring the same
    CHECK(set.intermediates() == 1);
    std::vector<crypto::Certificate> intermediates;
    CHECK(set.check({ca.end()}, ca.now, intermediates)); // a chain without it
}

TEST_CASE("FLD-E5: files of [cacerts] that are in the wrong place are refused with their key")
{
    const KeyUpdate ca;
    PemFiles files;
    const auto roots = files({ca.old_with_old, ca.new_with_new});
    CHECK(files.refused({.roots = roots, .key_updates = files({ca.old_with_new, ca.new_with_old})}).empty());
    CHECK(
        files.refused({.roots = files({ca.middle})}).starts_with("rootNotSelfSigned: root: CN=Intermediate"));
    CHECK(files.refused({.roots = roots, .anchors = files({ca.new_with_old})})
              .starts_with("rootNotSelfSigned: anchors"));
    CHECK(files.refused({.roots = roots, .intermediates = files({ca.new_with_new})})
              .starts_with("notIntermediate: "));
    CHECK(
        files.refused({.roots = roots, .intermediates = files({ca.end()})}).starts_with("notIntermediate: "));
    CHECK(files.refused({.roots = roots, .key_updates = files({ca.middle})}).starts_with("notKeyUpdate: "));
    CHECK(files.refused({.roots = files({ca.new_with_new}), .key_updates = files({ca.new_with_old})})
              .starts_with("notKeyUpdate: ")); // its issuer is missing
    CHECK_FALSE(files.refused({.roots = {files.folder / "absent.pem"}}).empty());
}

TEST_CASE("INT-28b: a TLS server sends what leads from its root to the other one, once, and no loop")
{
    const KeyUpdate ca;
    const auto end = ca.end();
    const ra::CaFiles files{
        {ca.new_with_new, ca.old_with_old}, {}, {ca.middle}, {ca.old_with_new, ca.new_with_old}};
    const auto above = ra::certificates_above({end}, files);
    REQUIRE(above.size() == 2);
    CHECK(above[0].sha256() == ca.middle.sha256());
    CHECK(above[1].sha256() == ca.new_with_old.sha256());
    CHECK(crypto::verify_path(end, above, {{ca.old_with_old}, {}, false}, crypto::PathPolicy::tls_server()));
    CHECK(ra::certificates_above({end, ca.middle}, files).size() == 1);
    CHECK(ra::certificates_above({end, ca.middle, ca.new_with_old}, files).empty());
    CHECK(ra::certificates_above({end, ca.middle, ca.new_with_new}, files).empty());
    CHECK(ra::certificates_above({end}, {{ca.new_with_new}, {}, {}, {}}).empty());
}

TEST_CASE("TEAP-23: the anchor in a server's own chain is known only if the chain is valid up to it")
{
    const KeyUpdate ca;
    const auto end = ca.end({{"extendedKeyUsage", "serverAuth"}});
    const auto anchor = ra::anchor_in({end, ca.middle, ca.new_with_new});
    REQUIRE(anchor.size() == 1);
    CHECK(anchor.front().sha256() == ca.new_with_new.sha256());
    CHECK(ra::anchor_in({end, ca.middle}).empty());
    CHECK(ra::anchor_in({end, ca.middle, ca.old_with_old}).empty());
    CHECK(ra::anchor_in({ca.end({{"extendedKeyUsage", "clientAuth"}}), ca.middle, ca.new_with_new}).empty());
}
