#include <doctest/doctest.h>

#include "fixture.h"
#include "registrar/gate.h"

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

} // namespace

TEST_CASE("A voucher is passed on unchanged, after the device's state is on disk (BRR-10)")
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

TEST_CASE("The registrar's request has serial number, nonce and the pledge's whole request (BRR-06)")
{
    RegistrarLab lab;
    lab.open();
    const auto device = lab.pledge("SN-1");
    const auto octets = lab.request(device);
    auto answer = lab.ask(device, octets);
    const auto envelope = brski::parse_envelope(lab.masa->question(0).question.request);
    REQUIRE(envelope);
    const auto signers = brski::verify_signature(*envelope);
    REQUIRE(signers);
    CHECK(signers->front().sha256() == lab.own.certificate.sha256());
    const auto ours = brski::parse_voucher_request(envelope->content);
    const auto theirs = brski::parse_voucher_request(*brski::unverified_content(octets, brski::Format::jws));
    REQUIRE(ours);
    CHECK(ours->serial_number == "SN-1");
    CHECK(ours->nonce == theirs->nonce);
    CHECK(ours->prior_signed_voucher_request == octets);
    CHECK(ours->proximity_registrar_cert.empty());
    CHECK_FALSE(ours->idevid_issuer.empty());
}

TEST_CASE("A MASA is asked after the request is on disk")
{
    RegistrarLab lab;
    lab.open();
    const auto device = lab.pledge("SN-1");
    StoreHeld held{*lab.commits};
    auto answer = lab.ask(device, lab.request(device));
    CHECK(is_waiting(answer));
    CHECK(lab.masa->count() == 0);
    held.release();
    lab.masa->question(0);
    CHECK(lab.state_on_disk() == "asking");
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

TEST_CASE("A pledge that waited long enough is answered later, and finds its voucher then (BRR-10)")
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

TEST_CASE("The audit log is asked for after the voucher, and decides (BRR-12)")
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
        CHECK(lab.subject->objection(RegistrarLab::peer(device.chain())));
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
    lab.options.wait = 10s;
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
    lab.options.give_up = 60s;
    lab.open();
    const auto device = lab.pledge("SN-1");
    auto answer = lab.ask(device, lab.request(device));
    const auto asked = lab.masa->question(0);
    lab.passed = 55;
    asked.hear(MasaDelay{"no answer"});
    CHECK(is_waiting(answer));
    CHECK(lab.masa->forgotten.empty());
    lab.passed = 65;
    asked.hear(MasaDelay{"still no answer"});
    CHECK(cause_of(std::move(answer)) == Cause::masa_silent);
    CHECK(lab.masa->forgotten == std::vector{device.id()});
}

TEST_CASE("A device may enrol after its voucher was forwarded, and not before (BRR-14)")
{
    RegistrarLab lab;
    lab.options.wait = 0ms;
    lab.open();
    Gate gate{lab, *lab.subject};
    const auto device = lab.pledge("SN-1");
    const auto attempt = [&] {
        enrol::EnrolRequest wanted;
        wanted.peer = RegistrarLab::peer(device.chain());
        std::string word;
        gate.enrol(std::move(wanted), [&word](const enrol::Decision& decision) {
            const auto* refused = std::get_if<enrol::Refused>(&decision);
            word = refused != nullptr ? refused->text : "issued";
        });
        return word;
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
    CHECK_FALSE(lab.subject->objection(RegistrarLab::peer({stranger.certificate})));
    CHECK_FALSE(lab.subject->is_device(RegistrarLab::peer({stranger.certificate})));
    CHECK(lab.subject->is_device(RegistrarLab::peer(device.chain())));
    // Its word on the voucher counts.
    CHECK_FALSE(lab.tell(device.chain(), StatusTold::Of::voucher, false));
    CHECK(attempt() == "this device said that its voucher is not good");
}

TEST_CASE("Status messages are taken from devices that asked for a voucher, also with their new certificate "
          "(BRR-13)")
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
        gate.enrol(std::move(wanted), [](const enrol::Decision&) {});
        held.release();
    }
    CHECK_FALSE(lab.tell({lab.issued.certificate}, Of::enrolment, true));
    CHECK(lab.has_event("certificateMatches", true));
    CHECK(lab.tell({lab.issued.certificate}, Of::voucher, true)->cause == Cause::unknown_device);
    const auto devices = lab.subject->status()["devices"];
    REQUIRE(devices.size() == 1);
    CHECK(devices[0]["state"] == "enrolled");
    CHECK(devices[0]["serial"] == "SN-1");
    CHECK(devices[0]["voucherStatus"] == "success");
    CHECK(devices[0]["enrollStatus"] == "success");
    // Another request begins anew: none of it is true of that.
    auto next = lab.ask(device, lab.request(device));
    lab.masa->question(1);
    CHECK(lab.subject->status()["devices"][0]["state"] == "asking");
    CHECK_FALSE(lab.subject->status()["devices"][0].contains("voucherStatus"));
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
    CHECK(lab.subject->objection(RegistrarLab::peer(device.chain()))->why == enrol::Refusal::unavailable);
    CHECK(lab.masa->count() == 1);
    std::filesystem::rename(lab.folder + "/away.db", lab.folder + "/relay.db");
    CHECK_FALSE(lab.subject->objection(RegistrarLab::peer(device.chain())));
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
    CHECK_FALSE(lab.subject->objection(RegistrarLab::peer(device.chain())));
    CHECK(lab.subject->status()["devices"].empty());
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

} // namespace acmetool::registrar
