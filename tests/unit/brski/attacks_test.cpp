#include <cstdlib>
#include <filesystem>
#include <functional>
#include <set>

#include <doctest/doctest.h>

#include "../crypto/certificates.h"
#include "brski/checks.h"
#include "brski/idevid.h"
#include "brski/masa.h"
#include "brski/masa_service.h"
#include "brski/pledge.h"
#include "crypto/certificate_builder.h"
#include "crypto/extension.h"
#include "crypto/path.h"

namespace acmetool::brski
{
namespace
{

using test::Identity;
using namespace std::chrono_literals;

const base::TimePoint kNow = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());

/// A certificate under `issuer`; by itself without one.
Identity certified(const std::string& name, const std::string& serial_number, bool is_ca,
                   const std::string& purposes, const Identity* issuer, std::chrono::hours ends_in = 24h,
                   const std::string& key_identifier = "hash")
{
    crypto::CertificateProfile profile;
    profile.common_name = name;
    profile.serial_number = serial_number;
    profile.not_before = kNow - 100h;
    profile.not_after = kNow + ends_in;
    profile.extensions = {{"subjectKeyIdentifier", key_identifier},
                          {"basicConstraints", is_ca ? "critical,CA:TRUE" : "critical,CA:FALSE"}};
    if (issuer != nullptr) profile.extensions.emplace_back("authorityKeyIdentifier", "keyid:always");
    if (!purposes.empty()) profile.extensions.emplace_back("extendedKeyUsage", purposes);
    auto key = *crypto::generate_key("ec:P-256");
    auto certificate =
        *crypto::build_certificate(profile, key, issuer != nullptr ? &issuer->certificate : nullptr,
                                   issuer != nullptr ? issuer->key : key);
    return {std::move(key), std::move(certificate)};
}

const std::string kRegistrarPurposes = "serverAuth," + std::string{crypto::kCmcRaPurpose};

struct World {
    Identity maker = certified("Maker", "", true, "", nullptr);
    Identity device = certified("device", "SN-1", false, "", &maker);
    Identity second = certified("device", "SN-2", false, "", &maker);
    Identity stranger = certified("device", "SN-1", false, "", nullptr);
    Identity owner_ca = certified("Owner", "", true, "", nullptr);
    Identity owner = certified("owner's", "", false, kRegistrarPurposes, &owner_ca);
    Identity mallory_ca = certified("Owner", "", true, "", nullptr); // of the same name
    Identity mallory = certified("owner's", "", false, kRegistrarPurposes, &mallory_ca);
};

Signer signer_of(const Identity& identity, const std::vector<Identity>& others = {})
{
    Signer signer{identity.key, {identity.certificate}};
    for (const auto& one : others)
        signer.chain.push_back(one.certificate);
    return signer;
}

VoucherRequest pledge_leaves(const Identity& registrar)
{
    VoucherRequest request;
    request.assertion = "proximity";
    request.serial_number = "SN-1";
    request.nonce = "AAAAAAAAAAAAAAAAAAAAAA==";
    request.created_on = kNow;
    request.proximity_registrar_cert = registrar.certificate.der();
    return request;
}

Bytes sealed(const VoucherRequest& request, const Signer& signer)
{
    return *seal(to_json(request), Format::cms, signer);
}

VoucherRequest registrar_leaves(Bytes prior)
{
    auto request = pledge_leaves(test::make_identity("nobody"));
    request.proximity_registrar_cert.clear();
    request.prior_signed_voucher_request = std::move(prior);
    return request;
}

} // namespace

TEST_CASE("What a registrar's request must not be, each refused by its check (BRM-01b, BRM-01c, "
          "SEC-11)")
{
    const World world;
    const auto prior = sealed(pledge_leaves(world.owner), signer_of(world.device));
    MasaPolicy policy;
    policy.knowledge.idevid_anchors = crypto::AnchorStore{{world.maker.certificate}};
    const auto judged = [&](const VoucherRequest& request, const Signer& signer,
                            const std::function<void(MasaPolicy&)>& change = {}) {
        auto changed = policy;
        if (change) change(changed);
        const auto envelope = parse_envelope(sealed(request, signer));
        const auto grant =
            envelope ? decide(*envelope, changed, kNow) : Result<Grant>{fail(envelope.error())};
        if (grant) return grant->voucher.assertion;
        CHECK(http_status_of(grant.error()) / 100 == 4);
        return grant.error().reason.word();
    };
    const auto owner = signer_of(world.owner, {world.owner_ca});
    const auto good = registrar_leaves(prior);
    CHECK(judged(good, owner) == "proximity");

    auto request = good;
    for (const auto& created :
         {std::optional<base::TimePoint>{}, std::optional{kNow - 25h}, std::optional{kNow + 1h}}) {
        request = good;
        request.created_on = created;
        CHECK(judged(request, owner) == "created-on");
    }
    request = good;
    request.proximity_registrar_cert = world.owner.certificate.der();
    CHECK(judged(request, owner) == "proximity-registrar-cert");

    CHECK(judged(registrar_leaves({}), owner) == "prior-signed-voucher-request");
    const auto unsigned_text = to_json(pledge_leaves(world.owner));
    CHECK(judged(registrar_leaves({unsigned_text.begin(), unsigned_text.end()}), owner) ==
          "prior-signed-voucher-request");
    CHECK(judged(registrar_leaves(sealed(pledge_leaves(world.owner), signer_of(world.stranger))), owner) ==
          "prior-signer");
    // A device that was led to it: its request is right, and the owner list counts.
    const auto led = registrar_leaves(sealed(pledge_leaves(world.mallory), signer_of(world.device)));
    const auto mallory = signer_of(world.mallory, {world.mallory_ca, world.owner_ca});
    CHECK(judged(led, mallory) == "proximity");
    CHECK(judged(led, mallory, [&](auto& changed) {
              changed.owners = {{"SN-1", key_digest(world.owner_ca.certificate)}};
          }) == "owner");
    CHECK(judged(good, owner, [&](auto& changed) {
              changed.owners = {{"SN-1", key_digest(world.owner_ca.certificate)}};
          }) == "verified");
    CHECK(judged(led, mallory, [](auto& changed) { changed.owners_only = true; }) == "unknownDevice");
    CHECK(judged(led, mallory, [&](auto& changed) {
              changed.knowledge.registrar_anchors = crypto::AnchorStore{{world.owner_ca.certificate}};
          }) == "registrar");

    const auto no_purpose = certified("owner's", "", false, "serverAuth", &world.owner_ca);
    CHECK(judged(registrar_leaves(sealed(pledge_leaves(no_purpose), signer_of(world.device))),
                 signer_of(no_purpose, {world.owner_ca})) == "cmcRA");
    const auto expired = certified("owner's", "", false, kRegistrarPurposes, &world.owner_ca, -1h);
    CHECK(judged(registrar_leaves(sealed(pledge_leaves(expired), signer_of(world.device))),
                 signer_of(expired, {world.owner_ca})) == "registrar-validity");
}

TEST_CASE(
    "A registrar's request has its signature, and the serial number, nonce and registrar of the pledge's "
    "(BRM-01a, BRM-01d, BRM-01e)")
{
    const World world;
    MasaPolicy policy;
    policy.knowledge.idevid_anchors = crypto::AnchorStore{{world.maker.certificate}};
    const auto verdict = [&](const Bytes& octets, const MasaPolicy& with) -> std::string {
        const auto envelope = parse_envelope(octets);
        REQUIRE(envelope);
        const auto grant = decide(*envelope, with, kNow);
        if (grant) return "granted " + grant->voucher.assertion;
        CHECK(http_status_of(grant.error()) == 403);
        return grant.error().reason.word();
    };
    const auto owner = signer_of(world.owner, {world.owner_ca});
    const auto good = registrar_leaves(sealed(pledge_leaves(world.owner), signer_of(world.device)));
    const auto signed_well = sealed(good, owner);
    CHECK(verdict(signed_well, policy) == "granted proximity");
    auto changed = signed_well;
    changed.back() ^= 1U; // of the signature
    CHECK(verdict(changed, policy) == "signature");

    auto request = good;
    request.nonce = "BBBBBBBBBBBBBBBBBBBBBB==";
    CHECK(verdict(sealed(request, owner), policy) == "prior-nonce");
    request.nonce.clear();
    CHECK(verdict(sealed(request, owner), policy) == "nonceless");
    auto nonceless = policy;
    nonceless.knowledge.registrar_anchors = crypto::AnchorStore{{world.owner_ca.certificate}};
    nonceless.knowledge.allow_nonceless = true;
    CHECK(verdict(sealed(request, owner), nonceless) == "prior-nonce");
    request = good;
    request.serial_number = "SN-2";
    CHECK(verdict(sealed(request, owner), policy) == "prior-serial-number");
    const auto by_second = registrar_leaves(sealed(pledge_leaves(world.owner), signer_of(world.second)));
    CHECK(verdict(sealed(by_second, owner), policy) == "prior-serial-number");

    // Another registrar with the request that a device made for its owner's; what it sends along does not
    // help.
    CHECK(verdict(sealed(good, signer_of(world.mallory, {world.mallory_ca})), policy) == "proximity");
    CHECK(verdict(sealed(good, signer_of(world.mallory, {world.owner, world.owner_ca})), policy) ==
          "proximity");
    // The pledge saw the CA's certificate first: its key is in the registrar's chain, too.
    const auto saw_ca = registrar_leaves(sealed(pledge_leaves(world.owner_ca), signer_of(world.device)));
    CHECK(verdict(sealed(saw_ca, owner), policy) == "granted proximity");
}

TEST_CASE("SEC-24, BRP-12b: a voucher that demands revocation checks is refused by a pledge that does none")
{
    const World world;
    Voucher voucher;
    voucher.assertion = "logged";
    voucher.serial_number = "SN-1";
    voucher.nonce = new_nonce();
    voucher.created_on = kNow;
    voucher.pinned_domain_cert = world.owner.certificate.der();
    PledgeKnowledge knowledge{crypto::AnchorStore{{world.maker.certificate}},
                              world.device.certificate,
                              voucher.nonce,
                              false,
                              kNow,
                              {world.owner.certificate}};
    const auto reason = [&]() -> std::string {
        const auto octets = *seal(to_json(voucher), Format::cms, signer_of(world.maker));
        const auto verdict = check_voucher(octets, knowledge);
        return verdict.report.good() ? "good" : verdict.report.error("voucher").reason.word();
    };
    CHECK(reason() == "good");
    voucher.domain_cert_revocation_checks = true;
    CHECK(reason() == "domain-cert-revocation-checks");
}

TEST_CASE("SEC-13, BRM-06: ownership is decided by a key's digest, whatever key identifier a certificate has")
{
    const World world;
    const auto identifier_of = [](const Identity& one) {
        return to_hex(*crypto::subject_key_id(one.certificate));
    };
    const auto thief_ca = certified("Thief", "", true, "", nullptr, 24h, identifier_of(world.owner_ca));
    const auto thief =
        certified("owner's", "", false, kRegistrarPurposes, &thief_ca, 24h, identifier_of(world.owner));
    REQUIRE(domain_id(thief_ca.certificate) == domain_id(world.owner_ca.certificate));
    REQUIRE(domain_id(thief.certificate) == domain_id(world.owner.certificate));
    const auto judged = [&](const Identity& registrar, const Identity& ca, Pin pin, const std::string& owner,
                            bool anchored = false) {
        MasaPolicy policy;
        policy.knowledge.idevid_anchors = crypto::AnchorStore{{world.maker.certificate}};
        if (anchored) // both CAs are known: the thief is a customer of another device
            policy.knowledge.registrar_anchors =
                crypto::AnchorStore{{world.owner_ca.certificate, thief_ca.certificate}};
        policy.owners = {{"SN-1", owner}};
        policy.owners_only = true;
        policy.pin = pin;
        const auto request = registrar_leaves(sealed(pledge_leaves(registrar), signer_of(world.device)));
        const auto grant = decide(*parse_envelope(sealed(request, signer_of(registrar, {ca}))), policy, kNow);
        return grant ? grant->voucher.assertion : grant.error().reason.word();
    };
    for (const auto pin : {Pin::domain, Pin::registrar})
        for (const bool anchored : {false, true}) {
            const auto& pinned = pin == Pin::domain ? world.owner_ca.certificate : world.owner.certificate;
            for (const auto& owner : {key_digest(pinned), to_hex(pinned.sha256())}) {
                CHECK(judged(thief, thief_ca, pin, owner, anchored) == "owner");
                CHECK(judged(world.owner, world.owner_ca, pin, owner, anchored) == "verified");
            }
            CHECK(judged(world.owner, world.owner_ca, pin, domain_id(pinned), anchored) == "owner");
        }
}

TEST_CASE("What a pledge's request must not be, each refused by its check (BRR-02b, BRR-03a, "
          "BRR-03b)")
{
    const World world;
    const auto judged = [&](const VoucherRequest& request, const Identity& signer) {
        const auto envelope = parse_envelope(sealed(request, signer_of(signer)));
        REQUIRE(envelope);
        const auto verdict =
            check_pledge_request(*envelope, {world.device.certificate, world.owner.certificate});
        return verdict.report.good() ? std::string{} : verdict.report.error("request").reason.word();
    };
    const auto good = pledge_leaves(world.owner);
    CHECK(judged(good, world.device).empty());
    CHECK(judged(good, world.second) == "signer");
    CHECK(judged(good, world.stranger) == "signer");
    auto request = good;
    request.serial_number = "SN-2";
    CHECK(judged(request, world.device) == "serial-number");
    request = good;
    request.nonce.clear();
    CHECK(judged(request, world.device) == "nonce");
    request = good;
    request.assertion = "logged";
    CHECK(judged(request, world.device) == "assertion");
    request = good;
    request.prior_signed_voucher_request = {1, 2, 3};
    CHECK(judged(request, world.device) == "prior-signed-voucher-request");
    for (const auto& shown : {Bytes{}, Bytes{1, 2}, world.mallory.certificate.der()}) {
        request = good;
        request.proximity_registrar_cert = shown;
        CHECK(judged(request, world.device) == "proximity-registrar-cert");
    }
}

TEST_CASE("Each request of a pledge has a nonce of its own, \"proximity\", and the time if there is a clock "
          "(BRP-03a, BRP-03b, BRP-03e)")
{
    const World world;
    const http::TlsIdentity idevid{{world.device.certificate}, world.device.key};
    std::set<Bytes> nonces;
    for (const auto format : {Format::cms, Format::jws})
        for (const auto& time : {std::optional{kNow}, std::optional<base::TimePoint>{}}) {
            const auto made = sign_request(idevid, world.owner.certificate, format, time);
            REQUIRE(made);
            const auto request = parse_voucher_request(parse_envelope(made->octets)->content);
            REQUIRE(request);
            CHECK(request->assertion == "proximity");
            CHECK(request->created_on == time);
            CHECK(request->nonce == made->nonce);
            const auto octets = nonce_octets(request->nonce);
            REQUIRE(octets);
            CHECK(octets->size() == 16);
            nonces.insert(*octets);
        }
    CHECK(nonces.size() == 4);
}

TEST_CASE("A pledge's request names the registrar and the device, whose IDevID signs it (BRP-03c, BRP-03d, "
          "BRP-03f)")
{
    const World world;
    const http::TlsIdentity idevid{{world.device.certificate, world.maker.certificate}, world.device.key};
    const auto made = sign_request(idevid, world.owner.certificate, Format::cms, kNow);
    REQUIRE(made);
    const auto envelope = parse_envelope(made->octets);
    REQUIRE(envelope);
    const auto chain = verify_signature(*envelope);
    REQUIRE(chain);
    CHECK(chain->front().der() == world.device.certificate.der());
    const auto request = parse_voucher_request(envelope->content);
    REQUIRE(request);
    CHECK(request->proximity_registrar_cert == world.owner.certificate.der());
    CHECK(made->registrar == world.owner.certificate.der());
    CHECK(request->serial_number == "SN-1");
    CHECK(check_pledge_request(*envelope, {world.device.certificate, world.owner.certificate}).report.good());
}

TEST_CASE("A kept connection to another certificate than before ends the run (BRP-10d, BRP-02d)")
{
    struct Peer final : http::Transport {
        explicit Peer(std::vector<crypto::Certificate> certificates) : shown(std::move(certificates)) {}
        Result<http::Connection> connect(std::string_view /*url*/) override
        {
            http::Connection connection;
            connection.provisional = true;
            if (next < shown.size()) connection.server_certificates = {shown[next++]};
            return connection;
        }
        Result<http::Response> send(const http::Request& /*request*/) override { return http::Response{}; }
        std::vector<crypto::Certificate> shown;
        std::size_t next = 0;
    };
    const World world;
    const auto& owner = world.owner.certificate;
    PinnedTransport kept{std::make_unique<Peer>(std::vector{owner, owner, world.mallory.certificate})};
    CHECK(kept.connect("https://ra")->provisional);
    kept.accept();
    CHECK_FALSE(kept.connect("https://ra")->provisional);
    CHECK(kept.connect("https://ra").error().reason.word() == "registrarChanged");
    CHECK(kept.connect("https://ra").error().reason.word() == "registrarChanged"); // none at all
    PinnedTransport expecting{std::make_unique<Peer>(std::vector{world.mallory.certificate}), owner};
    CHECK(expecting.connect("https://ra").error().reason.word() == "registrarChanged");
}

TEST_CASE("The MASA verifies a request once: the audit log of the same octets follows within a minute "
          "(BRM-01a, BRM-03b)")
{
    const World world;
    auto folder = (std::filesystem::temp_directory_path() / "masa-test-XXXXXX").string();
    REQUIRE(mkdtemp(folder.data()) != nullptr);
    auto records = MasaRecords::open(folder + "/masa.db");
    REQUIRE(records);
    MasaOptions options;
    options.policy.knowledge.idevid_anchors = crypto::AnchorStore{{world.maker.certificate}};
    options.policy.knowledge.oldest = 30s; // created-on shows whether a request was verified
    options.signer = signer_of(world.maker);
    MasaService service{std::move(options), **records};
    const auto request = sealed(registrar_leaves(sealed(pledge_leaves(world.owner), signer_of(world.device))),
                                signer_of(world.owner, {world.owner_ca}));
    const auto asked = [&](const std::string& operation, const Bytes& octets, std::chrono::seconds later) {
        http::ServerRequest asking;
        asking.method = "POST";
        asking.target = "/.well-known/brski/" + operation;
        asking.headers = {{"Content-Type", "application/voucher-cms+json"}};
        asking.body = as_text(octets);
        return service.handle(asking, kNow + later).status;
    };
    CHECK(asked("requestauditlog", request, 0s) == 404);  // no voucher yet
    CHECK(asked("requestauditlog", request, 40s) == 403); // which was not remembered
    CHECK(asked("requestvoucher", request, 20s) == 200);
    CHECK(asked("requestauditlog", request, 79s) == 200);
    CHECK(asked("requestauditlog", request, 80s) == 403);
    CHECK(asked("requestauditlog", request, -400s) == 403); // the clock was set back
    auto changed = request;
    changed.back() ^= 1U;
    CHECK(asked("requestauditlog", changed, 20s) == 403);
    CHECK(asked("requestvoucher", request, 79s) == 403); // only the log is given so
    std::filesystem::remove_all(folder);
}

TEST_CASE("Grants are remembered for a minute, 1024 at most")
{
    RecentGrants grants;
    const auto digest = [](unsigned number) {
        return Bytes{static_cast<std::uint8_t>(number), static_cast<std::uint8_t>(number >> 8U)};
    };
    for (unsigned i = 0; i <= RecentGrants::kMost; ++i)
        grants.add(digest(i), {}, kNow);
    CHECK_FALSE(grants.find(digest(0), kNow));
    CHECK(grants.find(digest(1), kNow));
    CHECK(grants.find(digest(RecentGrants::kMost), kNow + 59s));
    CHECK_FALSE(grants.find(digest(1), kNow + 60s));
    grants.add(digest(1), {}, kNow + 30s); // the same again
    CHECK(grants.find(digest(1), kNow + 60s));
}

TEST_CASE("est-domain is a host, and the pinned certificate whom it has to be (CLOUD-05a, CLOUD-05b)")
{
    const World world;
    const auto origin = [&](const std::string& domain) {
        Voucher voucher;
        voucher.est_domain = domain;
        const auto service = est_service(voucher, world.owner_ca.certificate);
        if (!service) return service.error().reason.word();
        CHECK_FALSE(service->trust.provisional);
        CHECK_FALSE(service->trust.implicit_anchors);
        REQUIRE(service->trust.explicit_anchors.size() == 1);
        CHECK(service->trust.explicit_anchors.front().der() == world.owner_ca.certificate.der());
        return service->origin;
    };
    CHECK(origin("est.example.com") == "https://est.example.com");
    CHECK(origin("est.example.com:8443") == "https://est.example.com:8443");
    CHECK(origin("192.0.2.1") == "https://192.0.2.1");
    CHECK(origin("2001:db8::1") == "https://[2001:db8::1]");
    CHECK(origin("[2001:db8::1]:8443") == "https://[2001:db8::1]:8443");
    for (const auto* bad : {"est.example.com/x", "user@est.example.com", "a?b", "a#b", "a b", ":8443"})
        CHECK(origin(bad) == "estDomain");
}

} // namespace acmetool::brski
