#include <algorithm>

#include <doctest/doctest.h>

#include "brski/audit_log.h"
#include "brski/checks.h"
#include "brski/idevid.h"
#include "brski/masa.h"
#include "brski/status.h"
#include "vectors.h"

namespace acmetool::brski
{
namespace
{

/// 2021-04-13T21:45:00Z, when all of RFC 8995 appendix C was valid but the registrar's CA path is, too.
const base::TimePoint kThen{std::chrono::seconds{1618350300}};

crypto::Certificate certificate(const std::string& pem)
{
    return crypto::parse_certificates(pem, "vector")->front();
}

Outcome outcome_of(const Report& report, const std::string& name)
{
    const auto found = std::find_if(report.checks.begin(), report.checks.end(),
                                    [&](const Check& check) { return check.name == name; });
    return found == report.checks.end() ? Outcome::skipped : found->outcome;
}

} // namespace

TEST_CASE("RFC 8995 C.2.3: the voucher passes every check of a pledge (BRP-06a, BRP-06c, BRP-08b)")
{
    ACMETOOL_BRSKI_VECTOR(voucher, "rfc8995/voucher_00-D0-E5-F2-00-02.der");
    ACMETOOL_BRSKI_VECTOR(base64, "rfc8995/voucher_00-D0-E5-F2-00-02.b64");
    ACMETOOL_BRSKI_VECTOR(vendor, "rfc8995/vendor.crt.pem");
    ACMETOOL_BRSKI_VECTOR(idevid, "rfc8995/idevid_00-D0-E5-F2-00-02.crt.pem");
    ACMETOOL_BRSKI_VECTOR(registrar, "rfc8995/jrc_prime256v1.crt.pem");
    ACMETOOL_BRSKI_VECTOR(other_vendor, "rfc8366bis/vendor-00-D0-E5-F2-00-02.crt");
    PledgeKnowledge knowledge{crypto::AnchorStore{{certificate(vendor)}},
                              certificate(idevid),
                              "-_XE9zK9q8Ll1qylMtLKeg",
                              false,
                              kThen,
                              {certificate(registrar)}};
    for (const auto& octets : {voucher, base64}) {
        const auto verdict = check_voucher(as_bytes(octets), knowledge);
        for (const auto& check : verdict.report.checks)
            CHECK_MESSAGE(check.outcome != Outcome::failed, check.name << ": " << check.text);
        CHECK(verdict.report.good());
        REQUIRE(verdict.voucher);
        CHECK(verdict.voucher->assertion == "logged");
        CHECK(verdict.voucher->nonce == "-_XE9zK9q8Ll1qylMtLKeg");
    }
    auto wrong = knowledge;
    wrong.nonce = new_nonce();
    CHECK(check_voucher(as_bytes(voucher), wrong).report.error("voucher").reason.word() == "nonce");
    wrong = knowledge;
    wrong.now = kThen + std::chrono::hours{24 * 1000};
    CHECK(outcome_of(check_voucher(as_bytes(voucher), wrong).report, "signer") == Outcome::failed);
    wrong = knowledge;
    wrong.registrar = {certificate(vendor)};
    CHECK(check_voucher(as_bytes(voucher), wrong).report.error("voucher").reason.word() == "registrar");
    wrong = knowledge;
    wrong.manufacturer = crypto::AnchorStore{{certificate(other_vendor)}};
    CHECK(check_voucher(as_bytes(voucher), wrong).report.error("voucher").reason.word() == "signer");
    auto flipped = voucher;
    flipped.back() = static_cast<char>(flipped.back() ^ 1);
    CHECK(check_voucher(as_bytes(flipped), knowledge).report.error("voucher").reason.word() == "signature");
}

TEST_CASE("RFC 8995 C.2: the content alone is what a whole reading finds, and nothing of what is cut off")
{
    ACMETOOL_BRSKI_VECTOR(request, "rfc8995/vr_00-D0-E5-F2-00-02.der");
    ACMETOOL_BRSKI_VECTOR(voucher, "rfc8995/voucher_00-D0-E5-F2-00-02.der");
    for (const auto& octets : {request, voucher}) {
        const auto content = unverified_content(as_bytes(octets), Format::cms);
        REQUIRE(content);
        CHECK(*content == parse_envelope(as_bytes(octets), Format::cms)->content);
        for (std::size_t size = 0; size < octets.size(); size += 7) {
            CAPTURE(size);
            CHECK_FALSE(unverified_content(as_bytes(octets).first(size), Format::cms));
        }
        CHECK_FALSE(unverified_content(as_bytes(octets + "x"), Format::cms));
    }
}

TEST_CASE("RFC 8995 C.2.1: the pledge's request passes every check of a registrar (BRR-02b, BRR-03b)")
{
    ACMETOOL_BRSKI_VECTOR(request, "rfc8995/vr_00-D0-E5-F2-00-02.der");
    ACMETOOL_BRSKI_VECTOR(idevid, "rfc8995/idevid_00-D0-E5-F2-00-02.crt.pem");
    ACMETOOL_BRSKI_VECTOR(registrar, "rfc8995/jrc_prime256v1.crt.pem");
    const auto envelope = parse_envelope(as_bytes(request), Format::cms);
    REQUIRE(envelope);
    const auto verdict = check_pledge_request(*envelope, {certificate(idevid), certificate(registrar)});
    for (const auto& check : verdict.report.checks)
        CHECK_MESSAGE(check.outcome == Outcome::passed, check.name << ": " << check.text);
    const auto other = test::make_identity("other registrar");
    CHECK(check_pledge_request(*envelope, {certificate(idevid), other.certificate})
              .report.error("request")
              .reason.word() == "proximity-registrar-cert");
    const auto thief = test::make_identity("thief", "00-D0-E5-F2-00-02");
    CHECK(check_pledge_request(*envelope, {thief.certificate, certificate(registrar)})
              .report.error("request")
              .reason.word() == "signer");
}

TEST_CASE("RFC 8995 C.2.2: the registrar's request passes every check of a MASA (BRM-01d, BRM-01e)")
{
    ACMETOOL_BRSKI_VECTOR(request, "rfc8995/parboiled_vr_00-D0-E5-F2-00-02.der");
    ACMETOOL_BRSKI_VECTOR(pledge, "rfc8995/vr_00-D0-E5-F2-00-02.der");
    ACMETOOL_BRSKI_VECTOR(vendor, "rfc8995/vendor.crt.pem");
    ACMETOOL_BRSKI_VECTOR(owner, "rfc8995/ownerca_secp384r1.crt.pem");
    const auto envelope = parse_envelope(as_bytes(request), Format::cms);
    REQUIRE(envelope);
    MasaKnowledge knowledge;
    knowledge.idevid_anchors = crypto::AnchorStore{{certificate(vendor)}};
    knowledge.registrar_anchors = crypto::AnchorStore{{certificate(owner)}};
    knowledge.now = kThen;
    const auto verdict = check_registrar_request(*envelope, knowledge);
    for (const auto& check : verdict.report.checks)
        CHECK_MESSAGE(check.outcome == Outcome::passed, check.name << ": " << check.text);
    REQUIRE(verdict.request);
    CHECK(as_text(verdict.request->prior_signed_voucher_request) == pledge);
    CHECK(verdict.proximity);

    SUBCASE("and is granted with the registrar's domain pinned (BRM-02b)")
    {
        const auto grant = decide(*envelope, MasaPolicy{knowledge, {}, false, Pin::registrar, {}}, kThen);
        REQUIRE(grant);
        CHECK(grant->voucher.assertion == "proximity");
        CHECK(grant->voucher.nonce == verdict.request->nonce);
        CHECK(grant->voucher.pinned_domain_cert == verdict.registrar.front().der());
    }
    SUBCASE("but not where the owner list gives the device to another domain (SEC-11)")
    {
        const auto grant = decide(
            *envelope, MasaPolicy{knowledge, {{"00-D0-E5-F2-00-02", "another"}}, false, {}, {}}, kThen);
        REQUIRE_FALSE(grant);
        CHECK(grant.error().reason.word() == "owner");
        CHECK(http_status_of(grant.error()) == 403);
    }
    SUBCASE("but not when it is stale (BRM-03b)")
    {
        const auto grant =
            decide(*envelope, MasaPolicy{knowledge, {}, false, {}, {}}, kThen + std::chrono::hours{48});
        REQUIRE_FALSE(grant);
        CHECK(grant.error().reason.word() == "created-on");
    }
}

TEST_CASE("draft-ietf-anima-jws-voucher-16: every example parses and verifies with its first certificate")
{
    for (const auto* name : {"pledge_voucher_request", "registrar_voucher_request", "voucher"}) {
        ACMETOOL_BRSKI_VECTOR(text, std::string{"jws-voucher/draft16_general_"} + name + ".json");
        const auto envelope = parse_envelope(as_bytes(text));
        REQUIRE_MESSAGE(envelope, name);
        CHECK(envelope->format == Format::jws);
        CHECK(verify_signature(*envelope));
        if (std::string{name} == "voucher")
            CHECK(parse_voucher(envelope->content));
        else
            CHECK(parse_voucher_request(envelope->content));
    }
    ACMETOOL_BRSKI_VECTOR(compact, "jws-voucher/voucher_01.b64");
    CHECK_FALSE(parse_envelope(as_bytes(compact), Format::jws));
}

TEST_CASE(
    "The vouchers of rfc8366bis answer another nonce and hang below another key of the same name (BRP-06c)")
{
    ACMETOOL_BRSKI_VECTOR(voucher, "rfc8366bis/voucher_00-D0-E5-F2-00-02.pkcs");
    ACMETOOL_BRSKI_VECTOR(vendor, "rfc8995/vendor.crt.pem");
    ACMETOOL_BRSKI_VECTOR(idevid, "rfc8995/idevid_00-D0-E5-F2-00-02.crt.pem");
    const PledgeKnowledge knowledge{crypto::AnchorStore{{certificate(vendor)}},
                                    certificate(idevid),
                                    "-_XE9zK9q8Ll1qylMtLKeg",
                                    false,
                                    base::TimePoint{std::chrono::seconds{1657500000}},
                                    {}};
    const auto verdict = check_voucher(as_bytes(voucher), knowledge);
    CHECK(outcome_of(verdict.report, "signature") == Outcome::passed);
    CHECK(outcome_of(verdict.report, "signer") == Outcome::passed);
    CHECK(verdict.report.error("voucher").reason.word() == "nonce");
}

TEST_CASE("The figures of RFC 8995 parse: MASA URL, status messages, audit log (BRR-05a, BRP-09a, BRM-04b)")
{
    ACMETOOL_BRSKI_VECTOR(idevid, "rfc8995/idevid_00-D0-E5-F2-00-02.crt.pem");
    ACMETOOL_BRSKI_VECTOR(voucher_status, "rfc8995/examples/fig16_voucher_status.json");
    ACMETOOL_BRSKI_VECTOR(enroll_status, "rfc8995/examples/fig20_enroll_status.json");
    ACMETOOL_BRSKI_VECTOR(audit_log, "rfc8995/examples/fig18_audit_log.json");
    CHECK(masa_url(certificate(idevid))->value() ==
          "https://highway-test.example.com:9443/.well-known/brski");
    CHECK_FALSE(parse_status(voucher_status)->status);
    CHECK(parse_status(enroll_status)->status);
    const auto log = parse_audit_log(audit_log);
    REQUIRE(log);
    CHECK(log->events.size() == 2);
    CHECK(log->arbitrary == 2);
    CHECK(log->nonceless_duplicates == 1);
}

} // namespace acmetool::brski
