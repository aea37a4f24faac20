#include <doctest/doctest.h>

#include "../crypto/bad_chains.h"
#include "crypto/csr_remake.h"
#include "fixture.h"

namespace acmetool::test
{
namespace
{

/// The refusal's word and text.
std::pair<std::string, std::string> refusal_in(const enrol::Decision& decision)
{
    const auto* refused = std::get_if<enrol::Refused>(&decision);
    return {Lab::word(decision), refused == nullptr ? "" : refused->text};
}

enrol::Decision enrol_with(Lab& lab, const std::vector<crypto::Certificate>& chain)
{
    auto request = Lab::request(chain.front(), Lab::csr(lab.key, {"sn-1.domain.com"}));
    request.peer.certificates = chain;
    return lab.enrol(std::move(request));
}

/// A device of a manufacturer with an intermediate, which is the only one that is trusted.
struct MadeDevice {
    explicit MadeDevice(Lab& its_lab)
        : lab(its_lab), path(make_path(good_path(Validator::identity), its_lab.now()))
    {
        lab.options.idevid.trust = {lab.folder.write("maker.pem", path.anchor.certificate.to_pem())};
    }
    crypto::Crl crl(const CrlRecipe& recipe) const
    {
        return make_crl(recipe, path.middle.certificate, path.middle.key, lab.now());
    }
    Lab& lab;
    TestPath path;
};

} // namespace

TEST_CASE(
    "SEC-18, SEC-23, ESTS-03b: an IDevID with a fault of its path is no identity, and the text says why")
{
    Lab lab;
    lab.options.limits.orders_per_device = 100;
    std::string trust;
    std::vector<std::pair<PathFault, TestPath>> devices;
    for (const auto& fault : path_faults()) {
        auto recipe = good_path(Validator::identity);
        recipe.anchor.name = "Anchor of " + fault.name;
        fault.apply(recipe);
        devices.emplace_back(fault, make_path(recipe, lab.now()));
        trust += devices.back().second.anchor.certificate.to_pem();
    }
    const auto good = make_path(good_path(Validator::identity), lab.now());
    trust += good.anchor.certificate.to_pem();
    lab.options.idevid.trust = {lab.folder.write("makers.pem", trust)};
    lab.open();
    CHECK(refusal_in(enrol_with(lab, good.chain())).first == "issued");
    for (const auto& [fault, path] : devices) {
        CAPTURE(fault.name);
        const auto [word, text] = refusal_in(enrol_with(lab, path.chain()));
        CAPTURE(text);
        CHECK(word == "unauthenticated");
        CHECK(mentions(text, fault.said));
    }
    CHECK(lab.board->count() == 1);
}

TEST_CASE("ESTS-25a, ESTS-25b, ESTS-03d: a certificate issued here needs digitalSignature, and clientAuth "
          "only if eku demands it")
{
    Lab lab;
    lab.options.wait = 0ms;
    lab.board->hold = true;
    std::vector<crypto::Certificate> made;
    const std::vector<std::pair<std::string, std::map<int, std::string>>> kinds{
        {"plain", {}},
        {"public", {{NID_key_usage, "digitalSignature"}, {NID_ext_key_usage, "serverAuth"}}},
        {"client", {{NID_ext_key_usage, "serverAuth,clientAuth"}}},
        {"agreement", {{NID_key_usage, "keyAgreement"}, {NID_ext_key_usage, "clientAuth"}}}};
    lab.open();
    for (auto [name, extensions] : kinds) {
        extensions.emplace(NID_subject_alt_name, "DNS:" + name + ".domain.com");
        made.push_back(make_certificate(lab.key, name + ".domain.com", "", lab.maker.key, "Some CA", false,
                                        "20991231235959Z", extensions));
        lab.enrol(Lab::request(lab.maker.idevid(name), Lab::csr(lab.key, {name + ".domain.com"})));
        while (lab.board->count() < made.size())
            std::this_thread::sleep_for(1ms);
        lab.board->host->issued(lab.board->started.back().id, {made.back()});
    }
    const auto renew = [&](std::size_t kind) {
        auto request = Lab::request(made[kind], Lab::csr(*crypto::generate_key("ec:P-256"),
                                                         {kinds[kind].first + ".domain.com"}, {},
                                                         kinds[kind].first + ".domain.com"));
        request.renewal = true;
        return refusal_in(lab.enrol(std::move(request)));
    };
    CHECK(renew(0).first == "pending");
    CHECK(renew(1).first == "pending");
    CHECK(renew(2).first == "pending");
    CHECK(renew(3).first == "unauthenticated");
    CHECK(mentions(renew(3).second, "the keyUsage lacks digitalSignature"));
    lab.options.issued.eku = "clientAuth";
    lab.open();
    CHECK(renew(0).first == "pending");
    CHECK(renew(1).first == "unauthenticated");
    CHECK(mentions(renew(1).second, "the extendedKeyUsage lacks clientAuth or anyExtendedKeyUsage"));
    CHECK(renew(2).first == "pending");
    CHECK(renew(3).first == "unauthenticated");
}

TEST_CASE("FLD-E11: an expired certificate is the reason of a refusal, also when the store has forgotten it")
{
    Lab lab;
    lab.board->lifetime = 24h;
    lab.open();
    const auto first =
        lab.enrol(Lab::request(lab.maker.idevid("SN-1"), Lab::csr(lab.key, {"sn-1.domain.com"})));
    REQUIRE(Lab::word(first) == "issued");
    const auto certificate = std::get<enrol::Issued>(first).certificate;
    const auto ask = [&] {
        auto request = Lab::request(certificate, *crypto::csr_like(certificate, lab.key));
        request.renewal = true;
        return refusal_in(lab.enrol(std::move(request)));
    };
    const auto end = base::to_rfc3339(certificate.not_after());
    lab.pass(25h);
    const auto clock = [&] { return ", and this clock is at " + base::to_rfc3339(lab.now()); };
    CHECK(ask() == std::pair<std::string, std::string>{
                       "unauthenticated", "the certificate cannot be used: it expired at " + end + clock()});
    CHECK(std::get<enrol::CsrAttributes>(lab.attributes(&certificate)).why_not.find("expired at " + end) !=
          std::string::npos);
    // A clock of 1970 is this relay's.
    const auto then = lab.now();
    lab.pass(base::TimePoint{} - then + 60s);
    CHECK(ask() == std::pair<std::string, std::string>{
                       "unauthenticated", "the certificate cannot be used: it is not valid before " +
                                              base::to_rfc3339(certificate.not_before()) + clock()});
    lab.pass(then - lab.now());
    lab.open(); // purges
    std::string text;
    CHECK(comes_true([&] { // some time after the start
        text = ask().second;
        return mentions(text, "issued neither by a known manufacturer nor by this relay");
    }));
    CHECK(mentions(text, "it expired at " + end));
}

TEST_CASE("FLD-E11: within the grace an expired certificate authenticates its renewal, and nothing else")
{
    Lab lab;
    lab.board->lifetime = 24h;
    lab.options.issued.grace = 48h;
    lab.open();
    const auto csr = Lab::csr(lab.key, {"sn-1.domain.com"});
    const auto first = lab.enrol(Lab::request(lab.maker.idevid("SN-1"), csr));
    REQUIRE(Lab::word(first) == "issued");
    const auto certificate = std::get<enrol::Issued>(first).certificate;
    const auto next = *crypto::csr_like(certificate, *crypto::generate_key("ec:P-256"));
    const auto ask = [&](const crypto::Csr& wanted, bool renewal, bool by_teap = false) {
        auto request = Lab::request(certificate, wanted);
        request.renewal = renewal;
        request.may_renew = by_teap;
        return refusal_in(lab.enrol(std::move(request)));
    };
    CHECK_FALSE(std::get<enrol::CsrAttributes>(lab.attributes(&certificate)).must_renew);
    lab.pass(25h);
    lab.open(); // what has expired is not forgotten yet
    CHECK(ask(next, true).first == "issued");
    CHECK(ask(*crypto::csr_like(certificate, *crypto::generate_key("ec:P-256")), false, true).first ==
          "issued");
    const auto told = std::get<enrol::CsrAttributes>(lab.attributes(&certificate));
    CHECK(told.authenticated);
    CHECK(told.must_renew);
    // No certificate of before is handed out for it either.
    for (const auto& wanted :
         {csr, Lab::csr(*crypto::generate_key("ec:P-256"), {"sn-1.domain.com"}, {}, "sn-1.domain.com")}) {
        const auto refused = ask(wanted, false);
        CHECK(refused.first == "unauthenticated");
        CHECK(mentions(refused.second, "authenticates only its renewal"));
    }
    REQUIRE(lab.engine->revoke(certificate.serial()));
    CHECK(ask(next, true).first == "forbidden");
    lab.pass(48h);
    CHECK(ask(next, true).first != "issued");
    lab.options.issued.grace = 0s;
    lab.open();
    CHECK(ask(next, true).first != "issued");
}

TEST_CASE("SEC-23, ESTS-26a, ESTS-26c: a device that its maker revoked gets 401, and without a current CRL "
          "the policy counts")
{
    Lab lab;
    MadeDevice device{lab};
    const auto file = lab.folder / "maker.crl";
    const auto ask = [&](const std::vector<crypto::Crl>& crls, crypto::StaleCrl stale) {
        std::string pem;
        for (const auto& crl : crls)
            pem += crl.to_pem();
        lab.folder.write("maker.crl", pem);
        lab.options.idevid.crl = {{file}, stale};
        lab.open();
        return enrol_with(lab, device.path.chain());
    };
    const auto revoked = ask({device.crl({{device.path.end.certificate}})}, crypto::StaleCrl::refuse);
    CHECK(refusal_in(revoked).first == "unauthenticated");
    CHECK(mentions(refusal_in(revoked).second, "the certificate is revoked since "));
    const auto old = device.crl({{}, -3h, -1h});
    const auto unknown = ask({old}, crypto::StaleCrl::refuse);
    CHECK(refusal_in(unknown).first == "unavailable");
    CHECK(std::get<enrol::Refused>(unknown).retry_after);
    CHECK(mentions(refusal_in(unknown).second, "revocation cannot be checked"));
    CHECK(lab.board->count() == 0);
    CHECK(refusal_in(ask({old}, crypto::StaleCrl::accept)).first == "issued");
    CHECK(refusal_in(ask({device.crl({})}, crypto::StaleCrl::refuse)).first == "issued");
}

TEST_CASE("ESTS-26a: the CRL of a URL counts as soon as it is there")
{
    Lab lab;
    MadeDevice device{lab};
    const std::string url = "http://maker.example/ca.crl";
    auto fetched = std::make_shared<crypto::FetchedCrls>();
    lab.options.idevid.crl = {{url}, crypto::StaleCrl::refuse};
    lab.fetched = fetched;
    lab.open();
    CHECK(refusal_in(enrol_with(lab, device.path.chain())).first == "unavailable");
    fetched->put(url, {device.crl({})});
    CHECK(refusal_in(enrol_with(lab, device.path.chain())).first == "issued");
    fetched->put(url, {device.crl({{device.path.end.certificate}})});
    CHECK(refusal_in(enrol_with(lab, device.path.chain())).first == "unauthenticated");
}

TEST_CASE("ESTS-26b, SEC-23: a certificate issued here that its CA revoked is no identity")
{
    Lab lab;
    // The lab's CA: a root whose key is at hand.
    const auto ca = make_link(good_path(Validator::identity).anchor, nullptr, lab.now());
    lab.options.cacerts.roots = {lab.folder.write("own-root.pem", ca.certificate.to_pem())};
    lab.options.wait = 0ms;
    lab.board->hold = true;
    lab.open();
    ChainLink link{"sn-1.domain.com"};
    link.until = 1000h;
    link.extensions = {{"subjectAltName", "DNS:sn-1.domain.com"}};
    auto issued = make_link(link, &ca, lab.now());
    // The certificate is for the key of the request.
    const auto csr = Lab::csr(issued.key, {"sn-1.domain.com"});
    lab.enrol(Lab::request(lab.maker.idevid("SN-1"), csr));
    while (lab.board->count() < 1)
        std::this_thread::sleep_for(1ms);
    lab.board->host->issued(lab.board->started.back().id, {issued.certificate});
    const auto renew = [&](const std::vector<crypto::Crl>& crls, crypto::StaleCrl stale) {
        std::string pem;
        for (const auto& crl : crls)
            pem += crl.to_pem();
        lab.options.issued.crl = {{lab.folder.write("ca.crl", pem)}, stale};
        lab.open();
        auto request = Lab::request(issued.certificate, Lab::csr(*crypto::generate_key("ec:P-256"),
                                                                 {"sn-1.domain.com"}, {}, "sn-1.domain.com"));
        request.renewal = true;
        return refusal_in(lab.enrol(std::move(request)));
    };
    const auto crl = [&](const CrlRecipe& recipe) {
        return make_crl(recipe, ca.certificate, ca.key, lab.now());
    };
    CHECK(renew({crl({})}, crypto::StaleCrl::refuse).first == "pending");
    const auto refused = renew({crl({{issued.certificate}})}, crypto::StaleCrl::accept);
    CHECK(refused.first == "unauthenticated");
    CHECK(mentions(refused.second, "the certificate is revoked"));
    const auto old = crl({{}, -3h, -1h});
    CHECK(renew({old}, crypto::StaleCrl::refuse).first == "unavailable");
    CHECK(renew({old}, ra::IssuedOptions{}.crl.stale).first == "pending");
}

} // namespace acmetool::test
