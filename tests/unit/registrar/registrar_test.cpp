#include <atomic>
#include <thread>

#include <doctest/doctest.h>

#include "../crypto/bad_chains.h"
#include "base/worker.h"
#include "crypto/extension.h"
#include "fixture.h"
#include "registrar/gate.h"
#include "store/atomic_file.h"

namespace acmetool::registrar
{

using namespace std::chrono_literals;
using test::RegistrarLab;
using test::StoreHeld;

namespace
{

bool is_waiting(const std::future<Decision>& answer)
{
    return answer.wait_for(50ms) == std::future_status::timeout;
}

Cause cause_of(std::future<Decision> answer)
{
    const auto decision = answer.get();
    const auto* refused = std::get_if<Refused>(&decision);
    return refused != nullptr ? refused->cause : Cause::none;
}

enrol::Decision decision_of(Gate& gate, enrol::EnrolRequest wanted)
{
    const auto answer = std::make_shared<std::promise<enrol::Decision>>();
    gate.enrol(std::move(wanted),
               [answer](enrol::Decision decision) { answer->set_value(std::move(decision)); });
    return answer->get_future().get();
}

} // namespace

TEST_CASE("A voucher is passed on unchanged, after the device's state is on disk (BRR-10a)")
{
    RegistrarLab lab;
    lab.looks_when_answered = true;
    lab.open();
    const auto device = lab.pledge("SN-1");
    auto answer = lab.ask(device, lab.request(device));
    const auto asked = lab.masa->question(0);
    CHECK(asked.question.masa_url == "https://masa.example.com/.well-known/brski");
    CHECK(asked.question.what == MasaQuestion::What::voucher);
    CHECK(asked.question.accept == brski::kJwsVoucher);
    const auto voucher = lab.voucher(asked.question);
    asked.hear(voucher);
    const auto decision = answer.get();
    REQUIRE(std::holds_alternative<Granted>(decision));
    CHECK(std::get<Granted>(decision).voucher == voucher.octets);
    CHECK(std::get<Granted>(decision).type == brski::kJwsVoucher);
    CHECK(lab.state_when_answered == "forwarded");
}

namespace
{

/// What the MASA is asked for a device, and what the device asked for.
struct AskedMasa {
    RegistrarLab lab;
    RegistrarLab::Pledge device{};
    Bytes octets;
    std::future<Decision> answer;
    brski::Envelope envelope;
    brski::VoucherRequest ours;

    AskedMasa()
    {
        lab.open();
        device = lab.pledge("SN-1");
        octets = lab.request(device);
        answer = lab.ask(device, octets);
        envelope = *brski::parse_envelope(lab.masa->question(0).question.request);
        const auto read = brski::parse_voucher_request(envelope.content);
        REQUIRE(read);
        ours = *read;
    }
};

} // namespace

TEST_CASE("The registrar signs its request, sends its own certificates, and says when (BRR-06a, BRR-06b, "
          "BRR-08c)")
{
    const auto before = base::now();
    const AskedMasa asked;
    const auto signers = brski::verify_signature(asked.envelope);
    REQUIRE(signers);
    CHECK(signers->front().sha256() == asked.lab.own.certificate.sha256());
    // Not the device's or its manufacturer's, which no voucher may pin.
    REQUIRE(asked.envelope.certificates.size() == 1);
    CHECK(asked.envelope.certificates.front().sha256() == asked.lab.own.certificate.sha256());
    REQUIRE(asked.ours.created_on);
    CHECK(*asked.ours.created_on <= base::now());
    CHECK(*asked.ours.created_on >= before);
}

TEST_CASE("The registrar's request has the pledge's whole request and its nonce, and no proximity (BRR-06c, "
          "BRR-06e, BRR-06f)")
{
    const AskedMasa asked;
    const auto theirs =
        brski::parse_voucher_request(*brski::unverified_content(asked.octets, brski::Format::jws));
    REQUIRE(theirs);
    CHECK_FALSE(theirs->proximity_registrar_cert.empty());
    CHECK(asked.ours.nonce == theirs->nonce);
    CHECK(asked.ours.prior_signed_voucher_request == asked.octets);
    CHECK(asked.ours.proximity_registrar_cert.empty());
}

TEST_CASE("The registrar's request has serial number and issuer of the IDevID (BRR-06d, BRR-07)")
{
    const AskedMasa asked;
    CHECK(asked.ours.serial_number == "SN-1");
    // The extension's content, not in the OCTET STRING that it stands in.
    const auto& idevid = asked.device.identity.certificates.front();
    const auto issuer = crypto::extension_value(idevid, "2.5.29.35");
    REQUIRE(issuer);
    CHECK(asked.ours.idevid_issuer == *issuer);
    CHECK(asked.ours.idevid_issuer.front() == 0x30);
}

TEST_CASE("BRR-05a, BRR-05d: the IDevID names the MASA, and the manufacturer's entry can name another")
{
    RegistrarLab lab;
    auto key = *crypto::generate_key("ec:P-256");
    const auto idevid = brski::make_idevid(lab.maker, key, "SN-1", "own.example.com", lab.now());
    REQUIRE(idevid);
    const RegistrarLab::Pledge device{{{*idevid, lab.maker.ca}, key}};
    auto& maker = lab.options.manufacturers.front();
    SUBCASE("by the IDevID")
    {
        maker.masa_url.clear();
        maker.masa_hosts = {"own.example.com"};
        lab.open();
        auto answer = lab.ask(device, lab.request(device));
        CHECK(lab.masa->question(0).question.masa_url == "https://own.example.com/.well-known/brski");
    }
    SUBCASE("by the entry")
    {
        maker.masa_url = "https://other.example.com/masa";
        lab.open();
        auto answer = lab.ask(device, lab.request(device));
        CHECK(lab.masa->question(0).question.masa_url == "https://other.example.com/masa");
    }
}

TEST_CASE(
    "A MASA is asked after the nonce is on disk, and the request is there once a pledge waits for more than "
    "the MASA's first answer")
{
    RegistrarLab lab;
    lab.open();
    const auto device = lab.pledge("SN-1");
    StoreHeld held{*lab.commits};
    auto answer = lab.ask(device, lab.request(device));
    CHECK(is_waiting(answer));
    CHECK(lab.masa->count() == 0);
    held.release();
    const auto asked = lab.masa->question(0);
    const auto database = lab.connect();
    CHECK(Records{*database}.nonces(device.id())->size() == 1);
    CHECK(lab.state_on_disk() == "none");
    asked.hear(MasaDelay{"the MASA answered 202"});
    CHECK(lab.reaches("asking"));
}

TEST_CASE(
    "Of two requests of a device at two registrars with one store, the one that is written last is refused")
{
    RegistrarLab lab;
    lab.open();
    const auto device = lab.pledge("SN-1");
    auto here = lab.ask(device, lab.request(device));
    const auto asked = lab.masa->question(0);
    auto other = registrar::Registrar::open(lab.options, lab.signer(), lab.parts());
    REQUIRE(other);
    std::swap(lab.subject, *other);
    auto there = lab.ask(device, lab.request(device));
    const auto asked_there = lab.masa->question(1);
    asked_there.hear(lab.voucher(asked_there.question));
    CHECK(std::holds_alternative<Granted>(there.get()));
    asked.hear(lab.voucher(asked.question));
    CHECK(cause_of(std::move(here)) == Cause::replaced);
    CHECK(lab.state_on_disk() == "forwarded");
}

TEST_CASE("Nobody is answered before the answer is on disk")
{
    RegistrarLab lab;
    lab.open();
    const auto device = lab.pledge("SN-1");
    auto answer = lab.ask(device, lab.request(device));
    const auto asked = lab.masa->question(0);
    StoreHeld held{*lab.commits};
    asked.hear(lab.voucher(asked.question));
    CHECK(is_waiting(answer));
    held.release();
    CHECK(std::holds_alternative<Granted>(answer.get()));
}

TEST_CASE("A pledge that waited long enough is answered later, and finds its voucher then (BRR-10b)")
{
    RegistrarLab lab;
    lab.options.wait = 20ms;
    lab.options.retry_after = 7s;
    lab.open();
    const auto device = lab.pledge("SN-1");
    const auto octets = lab.request(device);
    const auto first = lab.ask(device, octets).get();
    REQUIRE(std::holds_alternative<Later>(first));
    CHECK(std::get<Later>(first).retry_after == 7s);
    const auto asked = lab.masa->question(0);
    asked.hear(MasaDelay{"the MASA answered 202"});
    asked.hear(lab.voucher(asked.question));
    REQUIRE(lab.reaches("ready"));
    CHECK(std::holds_alternative<Granted>(lab.ask(device, octets).get()));
    CHECK(lab.state_on_disk() == "forwarded");
    // And again: it is forwarded as often as it is asked for.
    CHECK(std::holds_alternative<Granted>(lab.ask(device, octets).get()));
    CHECK(lab.masa->count() == 1);
}

TEST_CASE("A MASA's refusal is the pledge's, with its cause, also when it asks again")
{
    RegistrarLab lab;
    lab.open();
    const auto device = lab.pledge("SN-1");
    const auto octets = lab.request(device);
    auto answer = lab.ask(device, octets);
    lab.masa->question(0).hear(MasaRefusal{Cause::masa_unknown, "the MASA answered 404: who?"});
    const auto decision = answer.get();
    REQUIRE(std::holds_alternative<Refused>(decision));
    CHECK(std::get<Refused>(decision).cause == Cause::masa_unknown);
    CHECK(std::get<Refused>(decision).text == "the MASA answered 404: who?");
    CHECK(cause_of(lab.ask(device, octets)) == Cause::masa_unknown);
    CHECK(lab.masa->count() == 1);
    CHECK(lab.has_event("level", "warning"));
}

TEST_CASE("OPR-23: a request that was refused is asked again once it was opened, and the registrar's status "
          "has both")
{
    RegistrarLab lab;
    lab.open();
    const auto device = lab.pledge("SN-1");
    const auto octets = lab.request(device);
    auto answer = lab.ask(device, octets);
    lab.masa->question(0).hear(MasaRefusal{Cause::masa_unknown, "the MASA answered 404: who?"});
    CHECK(cause_of(std::move(answer)) == Cause::masa_unknown);
    auto status = lab.subject->status();
    CHECK(status["refused"]["serial"] == "SN-1");
    CHECK(status["refused"]["cause"] == "masaUnknown");
    CHECK(status["refused"]["reason"] == "the MASA answered 404: who?");
    const auto database = lab.connect();
    REQUIRE(*Records{*database}.reopen(device.id(), lab.now()));
    answer = lab.ask(device, octets);
    const auto again = lab.masa->question(1);
    // It fails for a while: that is told once.
    for (int i = 0; i < 3; ++i)
        again.hear(MasaDelay{"no answer", Cause::masa_silent});
    again.hear(lab.voucher(again.question));
    CHECK(std::holds_alternative<Granted>(answer.get()));
    {
        const std::lock_guard lock{lab.mutex};
        CHECK(std::count_if(lab.events.begin(), lab.events.end(), [](const base::Json& event) {
                  return event.value("text", "") == "no answer" && event.value("cause", "") == "masaSilent";
              }) == 1);
    }
    status = lab.subject->status();
    CHECK_FALSE(status.contains("refused"));
    CHECK_FALSE(status.contains("silent"));
}

TEST_CASE("A voucher of no use is not passed on")
{
    RegistrarLab lab;
    lab.open();
    const auto device = lab.pledge("SN-1");
    auto answer = lab.ask(device, lab.request(device));
    const auto asked = lab.masa->question(0);
    asked.hear(lab.voucher(asked.question, brski::new_nonce()));
    CHECK(cause_of(std::move(answer)) == Cause::bad_voucher);
    CHECK(lab.state_on_disk() == "refused");
}

TEST_CASE("The audit log is asked for after the voucher, and decides (BRR-12a, BRR-12c, BRR-12d)")
{
    RegistrarLab lab;
    lab.options.audit_log = true;
    lab.open();
    const auto device = lab.pledge("SN-1");
    auto answer = lab.ask(device, lab.request(device));
    const auto first = lab.masa->question(0);
    first.hear(lab.voucher(first.question));
    const auto second = lab.masa->question(1);
    CHECK(second.question.what == MasaQuestion::What::audit_log);
    CHECK(second.question.request == first.question.request);
    CHECK(is_waiting(answer));
    SUBCASE("good")
    {
        second.hear(lab.log(second.question));
        CHECK(std::holds_alternative<Granted>(answer.get()));
    }
    SUBCASE("with another owner")
    {
        second.hear(lab.log(second.question, "c29tZWJvZHk="));
        CHECK(cause_of(std::move(answer)) == Cause::bad_audit_log);
        CHECK(lab.has_event("level", "warning"));
        CHECK(lab.objection(RegistrarLab::peer(device.chain())));
    }
    SUBCASE("the voucher again, which nobody asked for now")
    {
        first.hear(lab.voucher(first.question));
        CHECK(is_waiting(answer));
    }
}

TEST_CASE("Another request of the same device replaces the first")
{
    RegistrarLab lab;
    lab.open();
    const auto device = lab.pledge("SN-1");
    auto first = lab.ask(device, lab.request(device));
    const auto old = lab.masa->question(0);
    auto second = lab.ask(device, lab.request(device));
    CHECK(cause_of(std::move(first)) == Cause::replaced);
    const auto asked = lab.masa->question(1);
    CHECK(lab.masa->forgotten == std::vector{device.id()});
    old.hear(MasaRefusal{Cause::masa_refused, "too late"});
    CHECK(is_waiting(second));
    asked.hear(lab.voucher(asked.question));
    CHECK(std::holds_alternative<Granted>(second.get()));
}

TEST_CASE("The same request joins what is under way: nothing is asked again")
{
    RegistrarLab lab;
    lab.open();
    const auto device = lab.pledge("SN-1");
    const auto octets = lab.request(device);
    auto first = lab.ask(device, octets);
    const auto asked = lab.masa->question(0);
    auto second = lab.ask(device, octets);
    CHECK(is_waiting(second));
    asked.hear(lab.voucher(asked.question));
    CHECK(std::holds_alternative<Granted>(first.get()));
    CHECK(std::holds_alternative<Granted>(second.get()));
    CHECK(lab.masa->count() == 1);
}

TEST_CASE("A restart goes on where the store says, with the audit log after the voucher")
{
    RegistrarLab lab;
    lab.options.audit_log = true;
    lab.options.wait = 0ms;
    lab.open();
    const auto device = lab.pledge("SN-1");
    const auto octets = lab.request(device);
    CHECK(std::holds_alternative<Later>(lab.ask(device, octets).get()));
    const auto before = lab.masa->question(0);
    lab.open();
    const auto asked = lab.masa->question(1);
    CHECK(asked.question.request == before.question.request);
    asked.hear(lab.voucher(asked.question));
    lab.masa->question(2).hear(MasaDelay{"audit log: the MASA answered 202"});
    REQUIRE(lab.reaches("auditing"));
    lab.open();
    const auto log = lab.masa->question(3);
    CHECK(log.question.what == MasaQuestion::What::audit_log);
    log.hear(lab.log(log.question));
    REQUIRE(lab.reaches("ready"));
    lab.options.wait = 120s;
    lab.open();
    CHECK(lab.masa->count() == 4); // nothing is open any longer
    CHECK(std::holds_alternative<Granted>(lab.ask(device, octets).get()));
}

TEST_CASE("Who waits when the registrar stops is answered later")
{
    RegistrarLab lab;
    lab.open();
    const auto device = lab.pledge("SN-1");
    auto answer = lab.ask(device, lab.request(device));
    lab.masa->question(0);
    lab.subject->stop();
    CHECK(std::holds_alternative<Later>(answer.get()));
}

TEST_CASE("A MASA that does not answer is given up after give_up")
{
    RegistrarLab lab;
    lab.options.give_up = 3600s;
    lab.open();
    const auto device = lab.pledge("SN-1");
    auto answer = lab.ask(device, lab.request(device));
    const auto asked = lab.masa->question(0);
    lab.passed = 3000;
    asked.hear(MasaDelay{"no answer", Cause::masa_silent});
    CHECK(is_waiting(answer));
    CHECK(lab.masa->forgotten.empty());
    lab.passed = 3605;
    asked.hear(MasaDelay{"still no answer", Cause::masa_silent});
    CHECK(cause_of(std::move(answer)) == Cause::masa_silent);
    CHECK(lab.masa->forgotten == std::vector{device.id()});
}

TEST_CASE("OPR-56: a MASA that answers has four days to decide, and give_up counts from its last answer")
{
    RegistrarLab lab;
    lab.options.give_up = 3600s;
    lab.open();
    const auto device = lab.pledge("SN-1");
    auto answer = lab.ask(device, lab.request(device));
    auto asked = lab.masa->question(0);
    constexpr int kDay = 86'400;
    const auto hear = [&](int passed, const std::string& words, Cause cause = Cause::none) {
        lab.passed = passed;
        asked.hear(MasaDelay{words, cause});
        return test::comes_true([&] { return lab.has_event("text", words); });
    };
    CHECK(hear(3 * kDay, "the MASA answered 202"));
    CHECK(is_waiting(answer));
    SUBCASE("it decides")
    {
        asked.hear(lab.voucher(asked.question));
        CHECK(std::holds_alternative<Granted>(answer.get()));
    }
    SUBCASE("it is silent for a while, then for too long")
    {
        CHECK(hear(3 * kDay + 3000, "no answer", Cause::masa_silent));
        CHECK(hear(3 * kDay + 3500, "the MASA answered 429"));
        CHECK(hear(3 * kDay + 7000, "again no answer", Cause::masa_silent));
        CHECK(is_waiting(answer));
        CHECK(hear(3 * kDay + 7105, "still no answer", Cause::masa_silent));
        CHECK(cause_of(std::move(answer)) == Cause::masa_silent);
    }
    SUBCASE("it is silent after a restart")
    {
        lab.open();
        asked = lab.masa->question(1);
        CHECK(hear(3 * kDay + 60, "no answer", Cause::masa_silent));
        CHECK(lab.state_on_disk() == "asking");
    }
    SUBCASE("it does not decide")
    {
        CHECK(hear(4 * kDay + 5, "the MASA still answered 202"));
        CHECK(cause_of(std::move(answer)) == Cause::masa_pending);
        CHECK(lab.masa->forgotten == std::vector{device.id()});
    }
}

TEST_CASE("OPR-57: the gate asks the store on the registrar's thread, and goes on on the asker's")
{
    RegistrarLab lab;
    lab.open();
    Gate gate{lab, *lab.subject};
    const auto device = lab.pledge("SN-1");
    const auto octets = lab.request(device);
    auto answer = lab.ask(device, octets);
    lab.masa->question(0).hear(lab.voucher(lab.masa->question(0).question));
    REQUIRE(std::holds_alternative<Granted>(answer.get()));
    // The registrar's thread waits, as for a database that hangs.
    std::promise<void> waits;
    std::promise<void> release;
    VoucherRequested again;
    again.peer = RegistrarLab::peer(device.chain());
    again.request = octets;
    again.format = brski::Format::jws;
    again.accept = brski::kJwsVoucher;
    lab.subject->request_voucher(std::move(again), [&waits, &release](const Decision&) {
        waits.set_value();
        release.get_future().wait();
    });
    waits.get_future().wait();
    base::Worker asker{"asker"};
    std::atomic<int> decided{0};
    std::atomic<bool> is_on_asker{true};
    const auto attempt = [&](const std::vector<crypto::Certificate>& chain) {
        enrol::EnrolRequest wanted;
        wanted.peer = RegistrarLab::peer(chain);
        wanted.peer.executor = asker.executor();
        gate.enrol(std::move(wanted), [&](const enrol::Decision& decision) {
            if (!asker.is_here()) is_on_asker = false;
            if (std::holds_alternative<enrol::Issued>(decision)) ++decided;
        });
    };
    REQUIRE(asker.post([&] {
        attempt(device.chain());
        // No device of these manufacturers waits for it.
        attempt({test::make_identity("stranger", "SN-9").certificate});
    }));
    CHECK(test::comes_true([&] { return decided == 1; }));
    std::this_thread::sleep_for(50ms);
    CHECK(decided == 1);
    release.set_value();
    CHECK(test::comes_true([&] { return decided == 2; }));
    CHECK(is_on_asker);
}

TEST_CASE("A device may enrol after its voucher was forwarded, and not before (BRR-14a)")
{
    RegistrarLab lab;
    lab.options.wait = 0ms;
    lab.open();
    Gate gate{lab, *lab.subject};
    const auto device = lab.pledge("SN-1");
    const auto attempt = [&] {
        enrol::EnrolRequest wanted;
        wanted.peer = RegistrarLab::peer(device.chain());
        const auto decision = decision_of(gate, std::move(wanted));
        const auto* refused = std::get_if<enrol::Refused>(&decision);
        return refused != nullptr ? refused->text : std::string{"issued"};
    };
    CHECK(attempt().find("no voucher was forwarded") == 0);
    const auto octets = lab.request(device);
    lab.ask(device, octets).get();
    CHECK(attempt().find("this device's voucher is still on its way") == 0);
    const auto asked = lab.masa->question(0);
    asked.hear(lab.voucher(asked.question));
    REQUIRE(lab.reaches("ready"));
    CHECK(attempt().find("this device's voucher is still on its way") == 0);
    CHECK(std::holds_alternative<Granted>(lab.ask(device, octets).get()));
    CHECK(lab.enrolments == 0);
    CHECK(attempt() == "issued");
    // Another device, which is no device of these manufacturers, passes.
    const auto stranger = test::make_identity("stranger", "SN-9");
    CHECK_FALSE(lab.objection(RegistrarLab::peer({stranger.certificate})));
    CHECK_FALSE(lab.subject->is_device(RegistrarLab::peer({stranger.certificate})));
    CHECK(lab.subject->is_device(RegistrarLab::peer(device.chain())));
    // Its word on the voucher counts.
    CHECK_FALSE(lab.tell(device.chain(), StatusTold::Of::voucher, false));
    CHECK(attempt() == "this device said that its voucher is not good");
}

TEST_CASE("BRR-14a, SEC-23: a manufacturer's device stays one if its path fails there and holds elsewhere")
{
    RegistrarLab lab;
    const auto now = base::now();
    const auto path = test::make_path(test::good_path(test::Validator::identity), now);
    const auto write = [&](const std::string& name, const std::string& text) {
        REQUIRE(store::write_atomically(lab.folder + "/" + name, text, 0600));
        return lab.folder + "/" + name;
    };
    auto& maker = lab.options.manufacturers.front();
    maker.trust = {write("root.pem", path.anchor.certificate.to_pem())};
    lab.options.device_trust = {write("middle.pem", path.middle.certificate.to_pem())};
    const auto refused = [&](const std::vector<crypto::Certificate>& chain) -> std::string {
        Gate gate{lab, *lab.subject};
        enrol::EnrolRequest wanted;
        wanted.peer = RegistrarLab::peer(chain);
        const auto decision = decision_of(gate, std::move(wanted));
        const auto* refusal = std::get_if<enrol::Refused>(&decision);
        return refusal != nullptr ? std::string{enrol::name_of(refusal->why)} + " " + refusal->text
                                  : "let in";
    };
    lab.open();
    CHECK(refused(path.chain()).starts_with("forbidden no voucher was forwarded"));
    // Without the intermediate no path leads to the manufacturer's anchor, but one to what [clients.idevid]
    // trusts.
    CHECK(refused({path.end.certificate}).starts_with("forbidden no voucher was forwarded"));
    CHECK(lab.subject->is_device(RegistrarLab::peer({path.end.certificate})));
    // A certificate of the intermediate's name, of the device's choice, changes nothing.
    const auto decoy = test::make_link(test::good_path(test::Validator::identity).middle, nullptr, now);
    CHECK(
        refused({path.end.certificate, decoy.certificate}).starts_with("forbidden no voucher was forwarded"));
    // Revoked by the manufacturer's CRL, which [clients.idevid] does not have.
    const auto crl = [&](const test::CrlRecipe& recipe) {
        return write("maker.crl",
                     test::make_crl(recipe, path.middle.certificate, path.middle.key, now).to_pem());
    };
    maker.crl.sources = {crl({{path.end.certificate}})};
    lab.open();
    for (const auto& chain : {path.chain(), {path.end.certificate}})
        CHECK(refused(chain).starts_with(
            "unauthenticated the certificate of this device of maker is not valid: the "
            "certificate is revoked"));
    CHECK(lab.subject->is_device(RegistrarLab::peer(path.chain())));
    const RegistrarLab::Pledge device{{path.chain(), path.end.key}};
    CHECK(cause_of(lab.ask(device, lab.request(device))) == Cause::unwelcome);
    maker.crl.sources = {crl({{}, std::chrono::hours{-3}, std::chrono::hours{-1}})};
    lab.open();
    CHECK(refused(path.chain()).starts_with("unavailable the certificate of this device of maker"));
    CHECK(cause_of(lab.ask(device, lab.request(device))) == Cause::unavailable);
    // The manufacturer's anchor has expired, and another path has not.
    auto recipe = test::good_path(test::Validator::identity);
    recipe.anchor.until = std::chrono::hours{0};
    const auto expired = test::make_path(recipe, now);
    maker.crl = {};
    maker.trust = {write("root.pem", expired.anchor.certificate.to_pem())};
    lab.options.device_trust = {write("middle.pem", expired.middle.certificate.to_pem())};
    lab.open();
    CHECK(refused(expired.chain()).starts_with("unauthenticated the certificate of this device of maker"));
    CHECK(refused(test::make_path(test::good_path(test::Validator::identity), now).chain()) == "let in");
}

TEST_CASE("FLD-E11: a device whose IDevID expired needs its voucher within the grace as before")
{
    RegistrarLab lab;
    auto recipe = test::good_path(test::Validator::identity);
    recipe.end.from = std::chrono::hours{-5};
    recipe.end.until = std::chrono::hours{-3};
    const auto path = test::make_path(recipe, lab.now());
    auto& maker = lab.options.manufacturers.front();
    const auto write = [&](const std::string& name, const crypto::Certificate& certificate) {
        REQUIRE(store::write_atomically(lab.folder + "/" + name, certificate.to_pem(), 0600));
        return lab.folder + "/" + name;
    };
    maker.trust = {write("root.pem", path.anchor.certificate)};
    // By another path the registration authority accepts it, too, perhaps with another grace.
    lab.options.device_trust = {write("middle.pem", path.middle.certificate)};
    const auto objection = [&](const std::vector<crypto::Certificate>& chain) {
        const auto refusal = lab.objection(RegistrarLab::peer(chain));
        return refusal ? refusal->text : std::string{"none"};
    };
    for (const auto grace : {std::chrono::hours{0}, std::chrono::hours{2}, std::chrono::hours{4}}) {
        CAPTURE(grace.count());
        maker.grace = grace;
        lab.open();
        for (const auto& chain : {path.chain(), {path.end.certificate}}) {
            const auto text = objection(chain);
            CAPTURE(text);
            if (grace == std::chrono::hours{4})
                CHECK(text.starts_with("no voucher was forwarded"));
            else
                CHECK(text.find("it expired at") != std::string::npos);
            CHECK(lab.subject->is_device(RegistrarLab::peer(chain)));
        }
    }
}

TEST_CASE("Status messages are taken from devices that asked for a voucher, also with their new certificate "
          "(BRR-13a, BRR-13c)")
{
    RegistrarLab lab;
    lab.open();
    Gate gate{lab, *lab.subject};
    const auto device = lab.pledge("SN-1");
    using Of = StatusTold::Of;
    const auto early = lab.tell(device.chain(), Of::voucher, true);
    REQUIRE(early);
    CHECK(early->cause == Cause::unknown_device);
    CHECK(lab.tell({}, Of::voucher, true)->cause == Cause::no_certificate);
    auto answer = lab.ask(device, lab.request(device));
    const auto asked = lab.masa->question(0);
    asked.hear(lab.voucher(asked.question));
    answer.get();
    CHECK_FALSE(lab.tell(device.chain(), Of::voucher, true));
    CHECK_FALSE(lab.tell(device.chain(), Of::enrolment, true));
    CHECK(lab.has_event("certificateMatches", false));
    // The new certificate is known as soon as it is issued, whenever that is written.
    CHECK(lab.tell({lab.issued.certificate}, Of::enrolment, true)->cause == Cause::unknown_device);
    {
        StoreHeld held{*lab.commits};
        enrol::EnrolRequest wanted;
        wanted.peer = RegistrarLab::peer(device.chain());
        decision_of(gate, std::move(wanted));
        held.release();
    }
    CHECK_FALSE(lab.tell({lab.issued.certificate}, Of::enrolment, true));
    CHECK(lab.has_event("certificateMatches", true));
    CHECK(lab.tell({lab.issued.certificate}, Of::voucher, true)->cause == Cause::unknown_device);
    CHECK(lab.subject->status()["devices"]["enrolled"] == 1);
    const auto stored = [&lab] {
        const auto database = lab.connect();
        auto found = Records{*database}.with_serial("SN-1");
        REQUIRE(found);
        REQUIRE(found->size() == 1);
        return found->front();
    };
    CHECK(stored().voucher_status == "success");
    CHECK(stored().enroll_status == "success");
    // Another request begins anew: none of it is true of that.
    auto next = lab.ask(device, lab.request(device));
    lab.masa->question(1).hear(MasaDelay{"the MASA answered 202"});
    REQUIRE(lab.reaches("asking"));
    CHECK(lab.subject->status()["devices"]["asking"] == 1);
    CHECK(lab.subject->status()["devices"]["enrolled"] == 0);
    CHECK(stored().voucher_status.empty());
}

TEST_CASE("Requests that are no good do not reach a MASA")
{
    RegistrarLab lab;
    lab.open();
    const auto device = lab.pledge("SN-1");
    const auto good = lab.request(device);
    const auto elsewhere = test::make_identity("another registrar");
    CHECK(cause_of(lab.ask(device, lab.request(device, elsewhere.certificate))) == Cause::other_registrar);
    CHECK(cause_of(lab.ask(lab.pledge("SN-2"), good)) == Cause::bad_request);
    CHECK(cause_of(lab.ask(device, Bytes{'x'})) == Cause::malformed);
    CHECK(cause_of(lab.ask({}, good)) == Cause::no_certificate);
    const auto stranger = test::make_identity("stranger", "SN-1");
    CHECK(cause_of(lab.ask({{{stranger.certificate}, stranger.key}}, good)) == Cause::unknown_device);
    lab.unwelcome = enrol::Refused{enrol::Refusal::forbidden, "blocked", {}};
    CHECK(cause_of(lab.ask(device, good)) == Cause::unwelcome);
    lab.unwelcome = enrol::Refused{enrol::Refusal::unauthenticated, "who?", {}};
    CHECK(cause_of(lab.ask(device, good)) == Cause::unauthenticated);
    lab.unwelcome = enrol::Refused{enrol::Refusal::unavailable, "busy", 3s};
    CHECK(cause_of(lab.ask(device, good)) == Cause::unavailable);
    CHECK(lab.masa->count() == 0);
    CHECK(lab.state_on_disk() == "none");
}

TEST_CASE("While the store does not work, pledges are sent away and devices are not let in (SEC-29)")
{
    RegistrarLab lab;
    lab.open();
    const auto device = lab.pledge("SN-1");
    const auto octets = lab.request(device);
    auto answer = lab.ask(device, octets);
    const auto asked = lab.masa->question(0);
    asked.hear(lab.voucher(asked.question));
    answer.get();
    std::filesystem::rename(lab.folder + "/relay.db", lab.folder + "/away.db");
    auto decision = lab.ask(device, octets).get();
    REQUIRE(std::holds_alternative<Refused>(decision));
    CHECK(std::get<Refused>(decision).cause == Cause::unavailable);
    CHECK(std::get<Refused>(decision).retry_after);
    const auto other = lab.request(device);
    CHECK(cause_of(lab.ask(device, other)) == Cause::unavailable);
    CHECK(lab.objection(RegistrarLab::peer(device.chain()))->why == enrol::Refusal::unavailable);
    CHECK(lab.masa->count() == 1);
    std::filesystem::rename(lab.folder + "/away.db", lab.folder + "/relay.db");
    CHECK_FALSE(lab.objection(RegistrarLab::peer(device.chain())));
    auto again = lab.ask(device, other);
    const auto next = lab.masa->question(1);
    next.hear(lab.voucher(next.question));
    CHECK(std::holds_alternative<Granted>(again.get()));
}

TEST_CASE("A reload keeps the MASA's client of a manufacturer that stays, and drops those that go")
{
    RegistrarLab lab;
    lab.open();
    const auto device = lab.pledge("SN-1");
    const auto octets = lab.request(device);
    auto answer = lab.ask(device, octets);
    const auto asked = lab.masa->question(0);
    asked.hear(MasaDelay{"the MASA answered 202"});
    REQUIRE(lab.reaches("asking"));
    const auto reload = [&](const Options& options) {
        const auto use = lab.subject->prepare(options, lab.signer());
        REQUIRE(use);
        (*use)();
    };
    reload(lab.options);
    CHECK(lab.masa->uses == 1);
    CHECK(is_waiting(answer));
    auto none = lab.options;
    none.manufacturers.clear();
    reload(none);
    CHECK(std::holds_alternative<Later>(answer.get()));
    CHECK_FALSE(lab.subject->has_manufacturers());
    CHECK_FALSE(lab.objection(RegistrarLab::peer(device.chain())));
    // It comes back, and its open request is continued.
    reload(lab.options);
    const auto resumed = lab.masa->question(1);
    CHECK(resumed.question.request == asked.question.request);
    resumed.hear(lab.voucher(resumed.question));
    CHECK(std::holds_alternative<Granted>(lab.ask(device, octets).get()));

    auto broken = lab.options;
    broken.manufacturers.front().trust = {lab.folder + "/missing.pem"};
    const auto failed = lab.subject->prepare(broken, lab.signer());
    REQUIRE_FALSE(failed);
    CHECK(failed.error().code == Errc::config);
}

TEST_CASE("A device that the registration authority does not recognise gets no voucher (SEC-21)")
{
    RegistrarLab lab;
    lab.knows_device = false;
    lab.open();
    const auto device = lab.pledge("SN-1");
    CHECK(cause_of(lab.ask(device, lab.request(device))) == Cause::unauthenticated);
    CHECK(lab.masa->count() == 0);
}

TEST_CASE("A voucher belongs to manufacturer, serial number and key, not to one certificate (SEC-20)")
{
    RegistrarLab lab;
    lab.open();
    const auto device = lab.pledge("SN-1");
    auto answer = lab.ask(device, lab.request(device));
    const auto asked = lab.masa->question(0);
    CHECK(asked.question.id == device.id());
    asked.hear(lab.voucher(asked.question));
    REQUIRE(std::holds_alternative<Granted>(answer.get()));
    CHECK_FALSE(lab.objection(RegistrarLab::peer(device.chain())));

    // The manufacturer renews the certificate of the same key: it has its voucher.
    const auto renewed = brski::make_idevid(lab.maker, device.identity.key, "SN-1", "", lab.now());
    REQUIRE(renewed);
    CHECK_FALSE(lab.objection(RegistrarLab::peer({*renewed, lab.maker.ca})));
    // Another key or another serial number needs one of its own.
    CHECK(lab.objection(RegistrarLab::peer(lab.pledge("SN-1").chain())));
    const auto other = brski::make_idevid(lab.maker, device.identity.key, "SN-2", "", lab.now());
    CHECK(lab.objection(RegistrarLab::peer({*other, lab.maker.ca})));
}

TEST_CASE("A device that an earlier version knew by its certificate has its voucher still (SEC-20)")
{
    RegistrarLab lab;
    lab.open();
    const auto device = lab.pledge("SN-1");
    const auto digest = to_hex(device.identity.certificates.front().sha256());
    const auto database = lab.connect();
    for (const auto& [serial, id] : {std::pair{"SN-1", digest}, std::pair{"SN-2", std::string{"other"}}})
        REQUIRE(database->execute(
            "INSERT INTO brski_devices (id, serial, manufacturer, state, masa_url, since, cause, reason, "
            "request_digest, registrar_request, media_type, accept, nonce, voucher, voucher_type, "
            "voucher_status, enroll_status, certificate) VALUES ($1, $2, 'maker', 'forwarded', '', "
            "'2026-01-02T03:04:05Z', 0, '', 'd', X'', '', '', 'AAAA', X'', '', '', '', '')",
            {id, std::string_view{serial}}));
    CHECK_FALSE(lab.objection(RegistrarLab::peer(device.chain())));
    CHECK(lab.objection(RegistrarLab::peer(lab.pledge("SN-2").chain())));
    CHECK_FALSE(lab.tell(device.chain(), StatusTold::Of::voucher, false));
    CHECK(lab.objection(RegistrarLab::peer(device.chain())));
    // It asks anew, and there is one row of it.
    auto answer = lab.ask(device, lab.request(device));
    const auto asked = lab.masa->question(0);
    CHECK(asked.question.id == digest);
    asked.hear(lab.voucher(asked.question));
    REQUIRE(std::holds_alternative<Granted>(answer.get()));
    CHECK_FALSE(lab.objection(RegistrarLab::peer(device.chain())));
    CHECK(database->execute("SELECT 1 FROM brski_devices")->size() == 2);
}

} // namespace acmetool::registrar
