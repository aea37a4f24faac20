#include <doctest/doctest.h>

#include "../crypto/bad_chains.h"
#include "../crypto/certificates.h"
#include "brski/checks.h"

namespace acmetool::brski
{
namespace
{

using test::TestPath;
using test::Validator;

const auto kToday = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());

/// The good paths of the parties; a test replaces one of them.
struct Parties {
    TestPath device = test::make_path(test::good_path(Validator::identity), kToday);
    TestPath masa = test::make_path(test::good_path(Validator::voucher_signer), kToday);
    TestPath registrar = test::make_path(test::good_path(Validator::masa), kToday);
};

Signer signer_with(const TestPath& path)
{
    return {path.end.key, path.chain()};
}

PledgeKnowledge pledge_of(const Parties& parties)
{
    return {crypto::AnchorStore{{parties.masa.anchor.certificate}},
            parties.device.end.certificate,
            "AAAAAAAAAAAAAAAAAAAAAA==",
            false,
            kToday,
            parties.registrar.chain()};
}

Voucher voucher_pinning(const crypto::Certificate& pinned)
{
    Voucher voucher;
    voucher.assertion = "proximity";
    voucher.serial_number = "SN-1";
    voucher.nonce = "AAAAAAAAAAAAAAAAAAAAAA==";
    voucher.created_on = kToday;
    voucher.pinned_domain_cert = pinned.der();
    return voucher;
}

/// "good", or the check that failed and its text.
std::string verdict_text(const Report& report)
{
    return report.good() ? "good" : report.error("").message;
}

std::string pledge_says(const Parties& parties, const crypto::Certificate& pinned)
{
    const auto octets = *seal(to_json(voucher_pinning(pinned)), Format::cms, signer_with(parties.masa));
    return verdict_text(check_voucher(octets, pledge_of(parties)).report);
}

std::string masa_says(const Parties& parties, bool anchored)
{
    VoucherRequest prior;
    prior.assertion = "proximity";
    prior.serial_number = "SN-1";
    prior.nonce = "AAAAAAAAAAAAAAAAAAAAAA==";
    prior.created_on = kToday;
    prior.proximity_registrar_cert = parties.registrar.end.certificate.der();
    VoucherRequest request = prior;
    request.proximity_registrar_cert.clear();
    request.prior_signed_voucher_request = *seal(to_json(prior), Format::cms, signer_with(parties.device));
    MasaKnowledge knowledge;
    knowledge.idevid_anchors = crypto::AnchorStore{{parties.device.anchor.certificate}};
    if (anchored) knowledge.registrar_anchors = crypto::AnchorStore{{parties.registrar.anchor.certificate}};
    knowledge.now = kToday;
    auto signer = signer_with(parties.registrar);
    signer.chain.push_back(parties.registrar.anchor.certificate); // as the relay sends it
    const auto envelope = parse_envelope(*seal(to_json(request), Format::cms, signer));
    REQUIRE(envelope);
    return verdict_text(check_registrar_request(*envelope, knowledge).report);
}

} // namespace

TEST_CASE("SEC-18: a pledge refuses every fault in the path of its voucher's signer and of its server")
{
    const Parties good;
    REQUIRE(pledge_says(good, good.registrar.anchor.certificate) == "good");
    for (const auto& fault : test::path_faults()) {
        CAPTURE(fault.name);
        auto parties = good;
        auto recipe = test::good_path(Validator::voucher_signer);
        fault.apply(recipe);
        parties.masa = test::make_path(recipe, kToday);
        const auto signer = pledge_says(parties, good.registrar.anchor.certificate);
        CAPTURE(signer);
        CHECK(signer.starts_with(": signer: ") == !fault.taken.contains(Validator::voucher_signer));
        parties = good;
        recipe = test::good_path(Validator::registrar);
        fault.apply(recipe);
        parties.registrar = test::make_path(recipe, kToday);
        const auto server = pledge_says(parties, parties.registrar.anchor.certificate);
        CAPTURE(server);
        CHECK(server.starts_with(": registrar: ") == !fault.taken.contains(Validator::registrar));
    }
}

TEST_CASE("SEC-18: the pinned key of a registrar is checked like any other")
{
    Parties parties;
    CHECK(pledge_says(parties, parties.registrar.end.certificate) == "good");
    auto recipe = test::good_path(Validator::registrar);
    recipe.end.key = "rsa:1024";
    parties.registrar = test::make_path(recipe, kToday);
    CHECK(pledge_says(parties, parties.registrar.end.certificate).starts_with(": registrar: "));
}

TEST_CASE("SEC-18: a MASA refuses every fault in the paths of the registrar and of the device")
{
    const Parties good;
    for (const bool anchored : {true, false}) {
        CAPTURE(anchored);
        REQUIRE(masa_says(good, anchored) == "good");
        for (const auto& fault : test::path_faults()) {
            CAPTURE(fault.name);
            auto parties = good;
            auto recipe = test::good_path(Validator::masa);
            fault.apply(recipe);
            // Without anchors any CA is as good as another, and none is needed.
            if (anchored || (!recipe.impostor && !fault.no_issuer)) {
                parties.registrar = test::make_path(recipe, kToday);
                const auto registrar = masa_says(parties, anchored);
                CAPTURE(registrar);
                CHECK(registrar != "good");
                CHECK_FALSE(registrar.starts_with(": prior"));
            }
            parties = good;
            recipe = test::good_path(Validator::identity);
            fault.apply(recipe);
            parties.device = test::make_path(recipe, kToday);
            const auto device = masa_says(parties, anchored);
            CAPTURE(device);
            CHECK(device.starts_with(": prior-signer: "));
        }
    }
}

TEST_CASE(
    "BRP-12a, BRP-12b: with domain-cert-revocation-checks the registrar's path is checked against the CRLs")
{
    const Parties parties;
    const auto& middle = parties.registrar.middle;
    const auto& anchor = parties.registrar.anchor;
    const auto& end = parties.registrar.end;
    const auto says = [&](const crypto::Certificate& pinned, std::shared_ptr<const crypto::CrlSet> crls,
                          bool clock = true, std::vector<crypto::Certificate> presented = {}) {
        auto voucher = voucher_pinning(pinned);
        voucher.domain_cert_revocation_checks = true;
        auto knowledge = pledge_of(parties);
        knowledge.crls = std::move(crls);
        if (!presented.empty()) knowledge.registrar = std::move(presented);
        if (!clock) knowledge.now.reset();
        return verdict_text(
            check_voucher(*seal(to_json(voucher), Format::cms, signer_with(parties.masa)), knowledge).report);
    };
    constexpr const char* kRefused = ": domain-cert-revocation-checks: ";
    const auto crl = [&](std::vector<crypto::Certificate> revoked) {
        return test::make_crl({std::move(revoked)}, middle.certificate, middle.key, kToday);
    };
    const auto good = test::crl_set({crl({})});
    const auto& root = anchor.certificate;
    CHECK(says(root, nullptr).starts_with(std::string{kRefused} + "the voucher demands"));
    CHECK(says(root, good) == "good");
    CHECK(says(root, good, false)
              .starts_with(std::string{kRefused} + "revocation cannot be checked without a clock"));
    CHECK(says(root, test::crl_set({crl({end.certificate})}))
              .starts_with(std::string{kRefused} + "the certificate is revoked"));
    // The pinned certificate is an intermediate: its own revocation counts, as RFC 8366 section 5.3 says.
    const auto of_root = [&](std::vector<crypto::Certificate> revoked) {
        return test::make_crl({std::move(revoked)}, anchor.certificate, anchor.key, kToday);
    };
    auto whole = parties.registrar.chain();
    whole.push_back(root);
    CHECK(says(middle.certificate, test::crl_set({crl({}), of_root({})}), true, whole) == "good");
    CHECK(says(middle.certificate, test::crl_set({crl({}), of_root({middle.certificate})}), true, whole)
              .starts_with(std::string{kRefused} + "the certificate is revoked"));
    CHECK(
        says(middle.certificate, good).starts_with(std::string{kRefused} + "revocation cannot be checked: "));
    // The pinned certificate is the registrar's own.
    CHECK(says(end.certificate, good) == "good");
    CHECK(says(end.certificate, test::crl_set({crl({end.certificate})}))
              .starts_with(std::string{kRefused} + "the certificate is revoked"));
    CHECK(says(root, test::crl_set({of_root({})})).starts_with(std::string{kRefused} + "revocation cannot"));
}

} // namespace acmetool::brski
