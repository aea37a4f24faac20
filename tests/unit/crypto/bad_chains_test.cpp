#include <doctest/doctest.h>

#include "bad_chains.h"
#include "crypto/anchor_store.h"
#include "crypto/path.h"

namespace acmetool::test
{
namespace
{

using crypto::AnchorStore;
using crypto::PathPolicy;
using crypto::StaleCrl;

PathPolicy policy_of(Validator validator, base::TimePoint now)
{
    switch (validator) {
    case Validator::tls_server:
        return PathPolicy::tls_server();
    case Validator::identity:
        return PathPolicy::idevid(now);
    case Validator::voucher_signer:
        return PathPolicy::voucher_signer(now);
    case Validator::registrar:
        return PathPolicy::registrar(now);
    case Validator::masa:
        break;
    }
    return PathPolicy::registration_authority(now);
}

/// By both functions that validate paths: the anchors' store, and the list.
Result<std::vector<crypto::Certificate>> validated(const TestPath& path, const PathPolicy& policy)
{
    auto by_store = AnchorStore{{path.anchor.certificate}}.verify(path.chain(), policy);
    const auto by_list = crypto::verify_path(path.end.certificate, path.chain(),
                                             {{path.anchor.certificate}, {}, false}, policy);
    CHECK(by_store.has_value() == by_list.has_value());
    if (!by_store && !by_list) CHECK(by_store.error().message == by_list.error().message);
    return by_store;
}

/// The certificate of `ca`, issued again with its key in another form.
crypto::Certificate in_form(const Chained& ca, const crypto::Key& form, const Chained& issuer)
{
    auto again = crypto::Certificate::adopt(X509_dup(ca.certificate.get()));
    X509_set_pubkey(again.get(), form.get());
    REQUIRE(X509_sign(again.get(), issuer.key.get(), EVP_sha256()) > 0);
    return crypto::parse_certificates(again.to_pem(), "a certificate of the test")->front();
}

} // namespace

TEST_CASE("SEC-18: every fault of a path is refused for every purpose, by both ways to validate one")
{
    const auto now = base::now();
    for (const auto validator : kValidators) {
        CAPTURE(static_cast<int>(validator));
        const auto policy = policy_of(validator, now);
        const auto good = make_path(good_path(validator), now);
        const auto path = validated(good, policy);
        REQUIRE(path);
        REQUIRE(path->size() == 3);
        CHECK(path->back().sha256() == good.anchor.certificate.sha256());
        for (const auto& fault : path_faults()) {
            CAPTURE(fault.name);
            auto recipe = good_path(validator);
            fault.apply(recipe);
            const auto result = validated(make_path(recipe, now), policy);
            CHECK(result.has_value() == fault.taken.contains(validator));
            if (result) continue;
            CAPTURE(result.error().message);
            CHECK(result.error().code == Errc::refused);
            CHECK(mentions(result.error().message, fault.said));
            CHECK(mentions(result.error().message, " at depth "));
        }
    }
}

TEST_CASE("SEC-18: an anchor's own signature does not count, its key does")
{
    const auto now = base::now();
    auto recipe = good_path(Validator::identity);
    recipe.anchor.key = "rsa:2048";
    recipe.anchor.digest = EVP_md5();
    const auto path = make_path(recipe, now);
    CHECK(validated(path, PathPolicy::idevid(now)));
    // An end entity that is itself the anchor.
    const auto pinned = make_link(recipe.anchor, nullptr, now);
    const auto policy = PathPolicy::ca_certificate();
    CHECK(AnchorStore{{pinned.certificate}}.verify({pinned.certificate}, policy));
    recipe.anchor.key = "rsa:1024";
    const auto weak = make_link(recipe.anchor, nullptr, now);
    CHECK_FALSE(AnchorStore{{weak.certificate}}.verify({weak.certificate}, policy));
}

TEST_CASE("SEC-19: no path leads through a key with explicit curve parameters, and the message names it")
{
    const auto now = base::now();
    const auto end_entity = [](Validator validator) {
        return std::string{validator == Validator::identity ? "serialNumber=SN-1," : ""} + "CN=end entity";
    };
    for (const auto validator : kValidators) {
        CAPTURE(static_cast<int>(validator));
        const auto policy = policy_of(validator, now);
        for (const auto& [link, place] : {std::pair{&PathRecipe::end, end_entity(validator) + " at depth 0"},
                                          {&PathRecipe::middle, "CN=Intermediate at depth 1"},
                                          {&PathRecipe::anchor, "CN=Anchor at depth 2"}}) {
            CAPTURE(place);
            auto recipe = good_path(validator);
            (recipe.*link).key = "explicit";
            const auto refused = validated(make_path(recipe, now), policy);
            REQUIRE_FALSE(refused);
            CHECK(refused.error().code == Errc::refused);
            CHECK(refused.error().reason.word() == "path");
            CHECK(refused.error().message ==
                  "the key has explicit curve parameters instead of a curve's name (" + place + ")");
        }
        // An end entity that is itself the anchor, as a voucher or an operator pins it, and comes alone.
        auto recipe = good_path(validator);
        const auto pinned = [&](const char* key) {
            recipe.end.key = key;
            auto path = make_path(recipe, now);
            path.anchor = path.middle = path.end;
            return validated(path, policy);
        };
        CHECK(pinned("ec:P-256"));
        const auto refused = pinned("explicit");
        REQUIRE_FALSE(refused);
        CHECK(refused.error().message == "the key has explicit curve parameters instead of a curve's name (" +
                                             end_entity(validator) + " at depth 0)");
    }
}

TEST_CASE("SEC-19: another path is taken if one leads through a key with explicit curve parameters")
{
    const auto now = base::now();
    const auto path = make_path(good_path(Validator::identity), now);
    const auto& usual = path.middle.certificate;
    const auto odd = in_form(path.middle, with_explicit_curve(path.middle.key), path.anchor);
    const AnchorStore store{{path.anchor.certificate}};
    const auto found = [&](const std::vector<crypto::Certificate>& others) {
        std::vector<crypto::Certificate> chain{path.end.certificate};
        chain.insert(chain.end(), others.begin(), others.end());
        return store.verify(chain, PathPolicy::idevid(now)).has_value();
    };
    CHECK_FALSE(found({odd}));
    CHECK(found({usual, odd}));
    CHECK(found({odd, usual}));
    // Encoded in another way, the point is the same key.
    CHECK(found({in_form(path.middle, compressed(path.middle.key), path.anchor)}));
}

TEST_CASE(
    "ESTS-25a, ESTS-25b: keyUsage and extendedKeyUsage of an identity; what is absent restricts nothing")
{
    const auto now = base::now();
    const auto judged = [&](const char* usage, const char* extended) {
        auto recipe = good_path(Validator::identity);
        recipe.end.extensions = {{"basicConstraints", "CA:FALSE"}};
        if (usage != nullptr) recipe.end.extensions.emplace_back("keyUsage", usage);
        if (extended != nullptr) recipe.end.extensions.emplace_back("extendedKeyUsage", extended);
        const auto path = validated(make_path(recipe, now), PathPolicy::idevid(now));
        return path ? std::string{} : path.error().message;
    };
    CHECK(judged(nullptr, nullptr).empty());
    CHECK(judged("digitalSignature,keyAgreement", "serverAuth,clientAuth").empty());
    CHECK(judged(nullptr, "anyExtendedKeyUsage").empty());
    CHECK(mentions(judged("keyAgreement", nullptr),
                   "the keyUsage lacks digitalSignature (serialNumber=SN-1,CN=end entity at depth 0)"));
    CHECK(mentions(judged("keyCertSign", "clientAuth"), "the keyUsage lacks digitalSignature"));
    for (const auto* other : {"serverAuth", "codeSigning", "1.3.6.1.5.5.7.3.28"})
        CHECK(mentions(judged("digitalSignature", other),
                       "the extendedKeyUsage lacks clientAuth or anyExtendedKeyUsage"));
}

TEST_CASE("SEC-23: a revoked end entity or intermediate is refused, with the date")
{
    const auto now = base::now();
    const auto path = make_path(good_path(Validator::identity), now);
    const auto& middle = path.middle;
    const auto judged = [&](std::vector<crypto::Crl> crls) {
        const auto result = validated(path, PathPolicy::idevid(now, crl_set(std::move(crls))));
        return result ? std::string{} : result.error().message;
    };
    const auto empty = make_crl({}, middle.certificate, middle.key, now);
    const auto other = make_crl({{make_path(good_path(Validator::identity), now).end.certificate}},
                                middle.certificate, middle.key, now);
    CHECK(judged({empty}).empty());
    CHECK(judged({other}).empty());
    const auto own = make_crl({{path.end.certificate}}, middle.certificate, middle.key, now);
    const auto said = judged({own});
    CHECK(
        mentions(said, "the certificate is revoked since " + base::to_rfc3339(now - std::chrono::hours{1})));
    CHECK(mentions(said, "at depth 0"));
    // The root's CRL is used if it is there, and need not be there.
    const auto& anchor = path.anchor;
    const auto of_root = make_crl({{middle.certificate}}, anchor.certificate, anchor.key, now);
    CHECK(mentions(judged({empty, of_root}), "the certificate is revoked"));
    CHECK(mentions(judged({empty, of_root}), "CN=Intermediate at depth 1"));
}

TEST_CASE("ESTS-26c, SEC-23: without a current, authentic CRL the policy decides")
{
    const auto now = base::now();
    const auto path = make_path(good_path(Validator::identity), now);
    const auto& middle = path.middle;
    const auto stranger = make_link(good_path(Validator::identity).middle, nullptr, now);
    const auto stale =
        make_crl({{}, std::chrono::hours{-3}, std::chrono::hours{-1}}, middle.certificate, middle.key, now);
    const auto future =
        make_crl({{}, std::chrono::hours{1}, std::chrono::hours{3}}, middle.certificate, middle.key, now);
    const auto forged = make_crl({}, middle.certificate, stranger.key, now);
    const auto accuser = make_crl({{path.end.certificate}}, middle.certificate, stranger.key, now);
    const auto of_other = make_crl({}, path.anchor.certificate, path.anchor.key, now);
    const auto judged = [&](std::vector<crypto::Crl> crls, StaleCrl policy) {
        return validated(path, PathPolicy::idevid(now, crl_set(std::move(crls), policy)));
    };
    for (const auto& [crls, said] :
         {std::pair{std::vector<crypto::Crl>{}, "there is no CRL of CN=Intermediate"},
          {{stale}, "CRL has expired"},
          {{future}, "CRL is not yet valid"},
          {{forged}, "CRL signature failure"},
          {{accuser}, "CRL signature failure"},
          {{of_other}, "there is no CRL of CN=Intermediate"}}) {
        CAPTURE(said);
        const auto refused = judged(crls, StaleCrl::refuse);
        REQUIRE_FALSE(refused);
        CAPTURE(refused.error().message);
        CHECK(refused.error().code == Errc::temporary);
        CHECK(mentions(refused.error().message, said));
        CHECK(judged(crls, StaleCrl::accept));
    }
    // A forged one does not hide the authentic one, and what a stale one says remains true.
    const auto authentic = make_crl({{path.end.certificate}}, middle.certificate, middle.key, now);
    for (const auto policy : {StaleCrl::refuse, StaleCrl::accept}) {
        const auto refused = judged({forged, authentic}, policy);
        REQUIRE_FALSE(refused);
        CHECK(refused.error().code == Errc::refused);
    }
    const auto old = make_crl({{path.end.certificate}, std::chrono::hours{-3}, std::chrono::hours{-1}},
                              middle.certificate, middle.key, now);
    const auto refused = judged({old}, StaleCrl::accept);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::refused);
}

TEST_CASE("SEC-23: CRLs are read from PEM and DER; delta, endless and weak ones are refused")
{
    const auto now = base::now();
    const auto ca = make_link(good_path(Validator::identity).anchor, nullptr, now);
    const auto crl = make_crl({}, ca.certificate, ca.key, now);
    CHECK(crl.is_signed_by(ca.certificate));
    CHECK(crl.is_current(now));
    CHECK_FALSE(crl.is_current(now + std::chrono::hours{2}));
    CHECK(crl.issuer() == "CN=Anchor");
    const auto both = crypto::parse_crls("text\n" + crl.to_pem() + crl.to_pem(), "two");
    REQUIRE(both);
    CHECK(both->size() == 2);
    unsigned char* der = nullptr;
    const int size = i2d_X509_CRL(crl.get(), &der);
    const crypto::OpensslMemory owned{der};
    const std::string text{reinterpret_cast<const char*>(der), static_cast<std::size_t>(size)};
    CHECK(crypto::parse_crls(text, "DER"));
    for (const auto& bad : {std::string{}, text.substr(0, text.size() - 1), ca.certificate.to_pem(),
                            crl.to_pem() + crl.to_pem().substr(0, 100)}) {
        const auto refused = crypto::parse_crls(bad, "bad.crl");
        REQUIRE_FALSE(refused);
        CHECK(refused.error().code == Errc::bad_input);
        CHECK(mentions(refused.error().message, "bad.crl: "));
    }
    const auto changed = [&](auto change) {
        auto copy = crypto::Crl::adopt(X509_CRL_dup(crl.get()));
        change(copy.get());
        const auto parsed = crypto::parse_crls(copy.to_pem(), "bad.crl");
        return parsed ? std::string{} : parsed.error().message;
    };
    CHECK(mentions(changed([&](X509_CRL* copy) { X509_CRL_sign(copy, ca.key.get(), EVP_sha1()); }),
                   "is signed with MD5 or SHA-1"));
    CHECK(mentions(changed([&](X509_CRL* copy) {
                       ASN1_INTEGER* const base = ASN1_INTEGER_new();
                       ASN1_INTEGER_set(base, 1);
                       X509_CRL_add1_ext_i2d(copy, NID_delta_crl, base, 1, 0);
                       ASN1_INTEGER_free(base);
                       X509_CRL_sign(copy, ca.key.get(), EVP_sha256());
                   }),
                   "is a delta CRL"));
}

TEST_CASE("an anchor is above its certificates whatever is wrong with them, and not above an impostor's")
{
    const auto now = base::now();
    for (const auto& fault : path_faults()) {
        CAPTURE(fault.name);
        auto recipe = good_path(Validator::identity);
        fault.apply(recipe);
        const auto path = make_path(recipe, now);
        CHECK(AnchorStore{{path.anchor.certificate}}.is_above(path.chain()) == !recipe.impostor);
        CHECK_FALSE(AnchorStore{{path.anchor.certificate}}.is_above({path.end.certificate}));
    }
    CHECK_FALSE(AnchorStore{}.is_above({make_link({"x"}, nullptr, now).certificate}));
}

} // namespace acmetool::test
