#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <functional>
#include <future>
#include <thread>

#include <nlohmann/json.hpp>

#include "../store/server.h"
#include "acme/problem.h"
#include "fixture.h"
#include "ra/exclusion.h"
#include "ra/inventory_records.h"
#include "ra/mapping.h"
#include "ra/recent_csrs.h"
#include "ra/records.h"
#include "store/open_database.h"
#include "store/sqlite.h"

using namespace acmetool;
using namespace acmetool::test;
using enrol::Refusal;

TEST_CASE("INT-12b, INT-14a, INT-16a: the same CSR gets the same certificate, and there was one order")
{
    Lab lab;
    lab.open();
    const auto device = lab.maker.idevid("SN-1");
    const auto csr = Lab::csr(lab.key, {"sn-1.domain.com"});
    const auto first = lab.enrol(Lab::request(device, csr));
    REQUIRE(Lab::word(first) == "issued");
    CHECK(std::get<enrol::Issued>(first).certificate.identifiers() == csr.identifiers);
    const auto second = lab.enrol(Lab::request(device, csr));
    REQUIRE(Lab::word(second) == "issued");
    CHECK(Lab::digest(first) == Lab::digest(second));
    CHECK(lab.board->count() == 1);
    lab.open(); // a restart forgets nothing
    CHECK(Lab::digest(lab.enrol(Lab::request(device, csr))) == Lab::digest(first));
    CHECK(lab.board->count() == 1);
}

TEST_CASE(
    "INT-13a, INT-14b: a CSR re-made with another challengePassword finds the order; another key does not")
{
    Lab lab;
    lab.options.pop = ra::Pop::off;
    lab.open();
    const auto device = lab.maker.idevid("SN-1");
    const auto first = lab.enrol(Lab::request(device, Lab::csr(lab.key, {"sn-1.domain.com"}, "one")));
    const auto second = lab.enrol(Lab::request(device, Lab::csr(lab.key, {"sn-1.domain.com"}, "two")));
    REQUIRE(Lab::word(second) == "issued");
    CHECK(Lab::digest(first) == Lab::digest(second));
    CHECK(lab.board->count() == 1);
    const auto other = *crypto::generate_key("ec:P-256");
    CHECK(Lab::digest(lab.enrol(Lab::request(device, Lab::csr(other, {"sn-1.domain.com"})))) !=
          Lab::digest(first));
    CHECK(lab.board->count() == 2);
}

TEST_CASE(
    "INT-09a, INT-09b, INT-10: an issuer gets the CSR as it came, its challengePassword too, and its names")
{
    Lab lab;
    lab.options.pop = ra::Pop::off;
    lab.options.wait = 0ms;
    lab.board->hold = true;
    lab.options.idevid.inventory = lab.folder.write("devices.csv", "serial,label,name\npump,,p2,p1\n");
    lab.options.labels[""] = {"", "", "table", ""};
    lab.open();
    const auto csr = Lab::csr(lab.key, {"p1.domain.com", "p2.domain.com"}, "binding");
    CHECK(Lab::word(lab.enrol(Lab::request(lab.maker.idevid("pump"), csr))) == "pending");
    while (lab.board->count() == 0)
        std::this_thread::sleep_for(1ms);
    const auto order = lab.board->started[0];
    const auto der = lab.board->host->csr(order.id);
    REQUIRE(der);
    CHECK(*der == csr.der);
    CHECK(crypto::parse_csr(as_text(*der))->challenge_password == "binding");
    CHECK(order.identifiers == csr.identifiers);
}

TEST_CASE("INT-01a, INT-01b, INT-03a: a name outside of the domains is refused, wherever it stands, and no "
          "order is placed")
{
    Lab lab;
    lab.open();
    const auto device = lab.maker.idevid("SN-1");
    const auto refused = [&](const crypto::Csr& csr) {
        return Lab::word(lab.enrol(Lab::request(device, csr)));
    };
    CHECK(refused(Lab::csr(lab.key, {"sn-1.example.org"})) == "bad_identity");
    CHECK(refused(Lab::csr(lab.key, {"sn-1.domain.com", "www.example.org"})) == "bad_identity");
    CHECK(refused(Lab::csr(lab.key, {"notdomain.com"})) == "bad_identity");
    CHECK(refused(Lab::csr(lab.key, {"www.example.org", "sn-1.domain.com"})) == "bad_identity");
    CHECK(refused(Lab::csr(lab.key, {"*.domain.com"})) == "bad_identity");
    CHECK(lab.board->count() == 0);
}

TEST_CASE("INT-03b, INT-03c: a SAN that is no DNS name, and a CN that no SAN repeats, are refused")
{
    Lab lab;
    lab.open();
    const auto device = lab.maker.idevid("SN-1");
    const auto refused = [&](const crypto::Csr& csr) {
        return Lab::word(lab.enrol(Lab::request(device, csr)));
    };
    crypto::CsrOptions address;
    address.identifiers = {{"dns", "sn-1.domain.com"}, {"ip", "192.0.2.1"}};
    CHECK(refused(*crypto::build_csr(lab.key, address)) == "bad_request");
    auto other_name = Lab::csr(lab.key, {"sn-1.domain.com"});
    other_name.other_names = {"email:a@domain.com"};
    CHECK(refused(other_name) == "bad_request");
    auto common_name = Lab::csr(lab.key, {"sn-1.domain.com"});
    common_name.common_name = "other.domain.com";
    CHECK(refused(common_name) == "bad_request");
    auto none = Lab::csr(lab.key, {"sn-1.domain.com"});
    none.identifiers.clear();
    CHECK(refused(none) == "bad_request");
    CHECK(lab.board->count() == 0);
}

TEST_CASE("SEC-03 INT-07: identities by names, all off the diagonal refused")
{
    Lab lab;
    lab.open();
    const std::vector<std::string> serials{"alpha", "beta", "gamma"};
    for (const auto& who : serials)
        for (const auto& whose : serials) {
            const auto key = *crypto::generate_key("ec:P-256");
            const auto got = Lab::word(
                lab.enrol(Lab::request(lab.maker.idevid(who), Lab::csr(key, {whose + ".domain.com"}))));
            CHECK(got == (who == whose ? "issued" : "bad_identity"));
        }
    CHECK(lab.board->count() == serials.size());
}

TEST_CASE("csrattrs writes nothing of a name that the device has anyway")
{
    Lab lab;
    lab.options.labels["random"] = {"", "", "random", "ec:P-256"};
    lab.open();
    const auto device = lab.maker.idevid("device0001");
    const auto database = *store::Sqlite::open(lab.options.store.sqlite);
    const auto names = [&database] {
        return database->execute("SELECT name FROM names")->size(); // bound to a device
    };
    const auto told = std::get<enrol::CsrAttributes>(lab.attributes(&device)).identifiers[0].value;
    CHECK(names() == 0);
    lab.attributes(&device, "random");
    CHECK(names() == 1); // another time it would be another
    CHECK(Lab::word(lab.enrol(Lab::request(device, Lab::csr(lab.key, {told})))) == "issued");
    CHECK(names() == 2);
}

TEST_CASE("INT-04b, INT-06a, INT-06c: csrattrs names the device, and nobody without an identity")
{
    Lab lab;
    lab.options.labels["random"] = {"", "", "random", "ec:P-256"};
    lab.open();
    const auto device = lab.maker.idevid("SN 1");
    const auto told = std::get<enrol::CsrAttributes>(lab.attributes(&device));
    REQUIRE(told.identifiers.size() == 1);
    CHECK(told.identifiers[0].value.starts_with("h-"));
    CHECK(told.identifiers[0].value.ends_with(".domain.com"));
    CHECK(std::get<enrol::CsrAttributes>(lab.attributes(nullptr)).identifiers.empty());
    const auto stranger = Maker{"Stranger"}.idevid("SN 1");
    CHECK(std::get<enrol::CsrAttributes>(lab.attributes(&stranger)).identifiers.empty());
    CHECK(std::get<enrol::Refused>(lab.attributes(&device, "nowhere")).why == Refusal::not_found);
    const auto random = std::get<enrol::CsrAttributes>(lab.attributes(&device, "random"));
    const auto again = std::get<enrol::CsrAttributes>(lab.attributes(&device, "random"));
    CHECK(random.identifiers == again.identifiers);
    CHECK(random.identifiers != told.identifiers);
    CHECK(random.key_type == "ec:P-256");
    auto request = Lab::request(device, Lab::csr(lab.key, {random.identifiers[0].value}));
    request.label = "random";
    CHECK(Lab::word(lab.enrol(std::move(request))) == "issued");
}

TEST_CASE(
    "SCL-46: what a device may have is told while the store writes for others; a name to be noted waits")
{
    Lab lab;
    lab.options.labels["random"] = {"", "", "random", "ec:P-256"};
    lab.open();
    const auto device = lab.maker.idevid("device0001");
    CHECK(Lab::word(lab.enrol(Lab::request(device, Lab::csr(lab.key, {"device0001.domain.com"})))) ==
          "issued");
    std::promise<void> begun;
    std::promise<void> go;
    lab.engine->commits()->post({[&](store::Database&, store::GroupCommit::After&) -> Result<void> {
                                     begun.set_value();
                                     go.get_future().wait();
                                     return {};
                                 },
                                 [](const Error&) {}});
    begun.get_future().wait();
    enrol::Peer peer;
    peer.certificates = {device};
    std::thread::id there;
    lab.engine->csr_attributes(peer.clone(), {}, [&](const enrol::AttributesDecision& told) {
        there = std::this_thread::get_id();
        CHECK(std::get<enrol::CsrAttributes>(told).identifiers.front().value == "device0001.domain.com");
    });
    CHECK(there == std::this_thread::get_id());
    auto noted = std::make_shared<std::promise<std::thread::id>>();
    auto future = noted->get_future();
    lab.engine->csr_attributes(peer.clone(), "random", [noted](const enrol::AttributesDecision&) {
        noted->set_value(std::this_thread::get_id());
    });
    CHECK(future.wait_for(std::chrono::milliseconds{50}) == std::future_status::timeout);
    go.set_value();
    CHECK(future.get() != std::this_thread::get_id());
    // The name is noted now: to tell it again is to read.
    lab.engine->csr_attributes(peer.clone(), "random", [&](const enrol::AttributesDecision&) { there = {}; });
    CHECK(there == std::thread::id{});
}

TEST_CASE("SCL-46: a device with a certificate is recognised while another program holds the store")
{
    Lab lab;
    lab.open();
    const auto device = lab.maker.idevid("device0001");
    const auto decision = lab.enrol(Lab::request(device, Lab::csr(lab.key, {"device0001.domain.com"})));
    const auto issued = std::get<enrol::Issued>(decision).certificate;
    const auto other = *store::Sqlite::open(lab.options.store.sqlite);
    REQUIRE(other->execute("BEGIN EXCLUSIVE"));
    const auto told = std::get<enrol::CsrAttributes>(lab.attributes(&issued));
    CHECK(told.issued_here);
    CHECK(told.device_serial == "device0001");
    REQUIRE(other->execute("ROLLBACK"));
}

TEST_CASE("INT-07: what csrattrs named is what the CSR has to have, for a name that is made up, too")
{
    Lab lab;
    lab.options.labels["random"] = {"", "", "random", "ec:P-256"};
    lab.open();
    const auto device = lab.maker.idevid("SN-1");
    const auto other = lab.maker.idevid("SN-2");
    const auto told = std::get<enrol::CsrAttributes>(lab.attributes(&device, "random")).identifiers[0].value;
    const auto others = std::get<enrol::CsrAttributes>(lab.attributes(&other, "random")).identifiers[0].value;
    CHECK(told != others);
    const auto ask = [&](const std::vector<std::string>& names) {
        auto request = Lab::request(device, Lab::csr(*crypto::generate_key("ec:P-256"), names));
        request.label = "random";
        return Lab::word(lab.enrol(std::move(request)));
    };
    CHECK(ask({"sn-1.domain.com"}) == "bad_identity");
    CHECK(ask({others}) == "bad_identity");
    CHECK(ask({told, others}) == "bad_identity");
    CHECK(lab.board->count() == 0);
    CHECK(ask({told}) == "issued");
}

TEST_CASE("CSR-06b, SEC-03: a label belongs to the first device that has it, by issuer and serial")
{
    Lab lab;
    const Maker second{"Another Manufacturer"};
    lab.options.idevid.trust.push_back(lab.folder.write("second.pem", second.certificate.to_pem()));
    lab.open();
    const auto ours = lab.maker.idevid("ABC");
    const auto theirs = second.idevid("abc");
    CHECK(Lab::word(lab.enrol(Lab::request(ours, Lab::csr(lab.key, {"abc.domain.com"})))) == "issued");
    const auto other = *crypto::generate_key("ec:P-256");
    CHECK(Lab::word(lab.enrol(Lab::request(theirs, Lab::csr(other, {"abc.domain.com"})))) == "bad_identity");
}

TEST_CASE("SEC-01, ESTS-03b, ESTS-04: without an inventory entry no device of the manufacturer enrols")
{
    Lab lab;
    lab.options.idevid.accept_any = false;
    lab.options.idevid.inventory =
        lab.folder.write("devices.csv", "serial,label,name\nknown,,\nother,iot,\n");
    lab.open();
    const auto ask = [&](const std::string& serial) {
        return Lab::word(
            lab.enrol(Lab::request(lab.maker.idevid(serial), Lab::csr(lab.key, {serial + ".domain.com"}))));
    };
    CHECK(ask("known") == "issued");
    CHECK(ask("unknown") == "forbidden");
    CHECK(ask("other") == "forbidden");
    CHECK(lab.board->count() == 1);
}

TEST_CASE("SEC-02, ESTS-03a, ESTS-03c: a certificate of the same CA that was not issued here is nobody's")
{
    Lab lab;
    lab.open();
    const auto chain = lab.board->authority->issue(*crypto::generate_key("ec:P-256"),
                                                   {{"dns", "sn-1.domain.com"}}, lab.now(), 1000h);
    const auto got = lab.enrol(Lab::request(chain->front(), Lab::csr(lab.key, {"sn-1.domain.com"})));
    CHECK(Lab::word(got) == "unauthenticated");
    const auto foreign = Maker{"Stranger"}.idevid("SN-1");
    CHECK(Lab::word(lab.enrol(Lab::request(foreign, Lab::csr(lab.key, {"sn-1.domain.com"})))) ==
          "unauthenticated");
    CHECK(lab.board->count() == 0);
}

TEST_CASE("INT-15d, ESTS-03c, SEC-04: a revoked certificate and a blocked device are refused at once, cache "
          "included")
{
    Lab lab;
    auto& engine = lab.open();
    const auto device = lab.maker.idevid("SN-1");
    const auto csr = Lab::csr(lab.key, {"sn-1.domain.com"});
    const auto issued = std::get<enrol::Issued>(lab.enrol(Lab::request(device, csr))).certificate;
    REQUIRE(engine.revoke(issued.serial()).has_value());
    CHECK(Lab::word(lab.enrol(Lab::request(device, csr))) == "forbidden");
    CHECK(Lab::word(lab.enrol(Lab::request(issued, csr))) == "forbidden");
    const auto fresh = *crypto::generate_key("ec:P-256");
    const auto next = Lab::csr(fresh, {"sn-1.domain.com"});
    CHECK(Lab::word(lab.enrol(Lab::request(device, next))) == "issued");
    REQUIRE(engine.block("SN-1").has_value());
    CHECK(Lab::word(lab.enrol(Lab::request(device, next))) == "forbidden");
    REQUIRE(engine.unblock("SN-1").has_value());
    CHECK(Lab::word(lab.enrol(Lab::request(device, next))) == "issued");
    CHECK_FALSE(engine.revoke("not hex").has_value());
}

TEST_CASE("ESTS-17a, ESTS-17b, INT-15c: a renewal has Subject and SAN of the certificate and is never "
          "answered by the old one")
{
    Lab lab;
    lab.open();
    const auto device = lab.maker.idevid("SN-1");
    const auto old =
        std::get<enrol::Issued>(lab.enrol(Lab::request(device, Lab::csr(lab.key, {"sn-1.domain.com"}))))
            .certificate;
    const auto renew = [&](const crypto::Certificate& with, const crypto::Csr& csr) {
        auto request = Lab::request(with, csr);
        request.renewal = true;
        return lab.enrol(std::move(request));
    };
    const auto same_names = [&](const crypto::Key& key) {
        const auto subject = old.subject().empty() ? "" : "sn-1.domain.com";
        return Lab::csr(key, {"sn-1.domain.com"}, {}, subject);
    };
    lab.pass(3600s);
    const auto renewed = renew(old, same_names(lab.key));
    REQUIRE(Lab::word(renewed) == "issued");
    CHECK(Lab::digest(renewed) != to_hex(old.sha256()));
    CHECK(Lab::digest(renew(old, same_names(lab.key))) == Lab::digest(renewed)); // a retry of the renewal
    CHECK(Lab::word(renew(old, same_names(*crypto::generate_key("ec:P-256")))) == "issued"); // rekey
    CHECK(Lab::word(renew(old, Lab::csr(lab.key, {"other.domain.com"}))) == "bad_identity");
    const auto wrong = old.subject().empty() ? "sn-1.domain.com" : "";
    CHECK(Lab::word(renew(old, Lab::csr(lab.key, {"sn-1.domain.com"}, {}, wrong))) == "bad_identity");
    CHECK(Lab::word(renew(device, same_names(lab.key))) == "forbidden");
    // SEC-10: whoever was identified may get a signed refusal, and nobody else.
    const auto other_name = lab.enrol(Lab::request(device, Lab::csr(lab.key, {"other.domain.com"})));
    CHECK(std::get<enrol::Refused>(other_name).authenticated);
    const test::Maker stranger{"stranger"};
    const auto unknown =
        lab.enrol(Lab::request(stranger.idevid("SN-1"), Lab::csr(lab.key, {"other.domain.com"})));
    CHECK_FALSE(std::get<enrol::Refused>(unknown).authenticated);
    // A protocol that has one message for both: the same names with that certificate are a renewal, all else
    // is not.
    const auto either = [&](const crypto::Certificate& with, const crypto::Csr& csr) {
        auto request = Lab::request(with, csr);
        request.may_renew = true;
        return lab.enrol(std::move(request));
    };
    const auto asked = lab.board->count();
    CHECK(Lab::digest(either(old, same_names(lab.key))) == Lab::digest(renewed));
    CHECK(lab.board->count() == asked);
    CHECK(Lab::word(either(old, Lab::csr(lab.key, {"other.domain.com"}))) == "bad_identity");
    lab.pass(std::chrono::hours{24 * 90});
    CHECK(Lab::word(renew(old, same_names(lab.key))) == "unauthenticated"); // expired
}

TEST_CASE(
    "SEC-29: a store that was moved or replaced decides nothing, and nobody is told that a device is blocked")
{
    Lab lab;
    lab.open();
    const auto device = lab.maker.idevid("d1");
    const auto csr = Lab::csr(lab.key, {"d1.domain.com"});
    const auto store = lab.options.store;
    const auto block = [&] { return ra::block_in(store, {"d1"}, ra::Blocking::block, lab.now()); };
    const auto unblock = [&] { return ra::block_in(store, {"d1"}, ra::Blocking::unblock, lab.now()); };
    CHECK(Lab::word(lab.enrol(Lab::request(device, csr))) == "issued");
    REQUIRE(block());
    CHECK(Lab::word(lab.enrol(Lab::request(device, csr))) == "forbidden");
    REQUIRE(unblock());

    std::filesystem::copy_file(store.sqlite, lab.folder / "backup.db");
    std::filesystem::rename(store.sqlite, lab.folder / "away.db");
    std::filesystem::copy_file(lab.folder / "backup.db", store.sqlite);
    const auto ready = lab.engine->ready();
    REQUIRE_FALSE(ready);
    CHECK(ready.error().reason.word() == "databaseMoved");
    const auto decision = lab.enrol(Lab::request(device, csr));
    CHECK(Lab::word(decision) == "unavailable");
    CHECK(std::get<enrol::Refused>(decision).retry_after.has_value());
    CHECK(std::holds_alternative<enrol::Refused>(lab.attributes(&device)));
    const auto blocked = block();
    REQUIRE_FALSE(blocked);
    CHECK(blocked.error().reason.word() == "otherStore");
    CHECK(ra::revoke_in(store, {"01"}, lab.now()).error().reason.word() == "otherStore");

    std::filesystem::rename(lab.folder / "away.db", store.sqlite);
    REQUIRE(block());
    // The store is tried again a second after it failed.
    CHECK(comes_true([&] { return lab.engine->ready().has_value(); }));
    CHECK(Lab::word(lab.enrol(Lab::request(device, csr))) == "forbidden");
    lab.engine.reset();
    CHECK(unblock().has_value()); // nobody runs
}

TEST_CASE("INT-12c, INT-15a, INT-15b: near its end a cached certificate is not served any more")
{
    Lab lab;
    lab.open();
    const auto device = lab.maker.idevid("SN-1");
    const auto csr = Lab::csr(lab.key, {"sn-1.domain.com"});
    const auto first = lab.enrol(Lab::request(device, csr));
    lab.pass(std::chrono::hours{24 * 59});
    CHECK(Lab::digest(lab.enrol(Lab::request(device, csr))) == Lab::digest(first));
    lab.pass(std::chrono::hours{48});
    const auto second = lab.enrol(Lab::request(device, csr));
    REQUIRE(Lab::word(second) == "issued");
    CHECK(Lab::digest(second) != Lab::digest(first));
    CHECK(lab.board->count() == 2);
    lab.pass(std::chrono::hours{24 * 91});
    const auto third = lab.enrol(Lab::request(device, csr));
    REQUIRE(Lab::word(third) == "issued");
    CHECK(Lab::digest(third) != Lab::digest(second));
    CHECK(std::get<enrol::Issued>(third).certificate.not_after() > lab.now());
}

TEST_CASE("INT-17, INT-18a: a failed order is remembered for a while, then tried again")
{
    Lab lab;
    Error error;
    error.code = Errc::refused;
    error.message = "finalize: sn-1.domain.com: caa: forbidden by CAA";
    error.problem_type = "urn:ietf:params:acme:error:caa";
    lab.board->failure = error;
    lab.open();
    const auto device = lab.maker.idevid("SN-1");
    const auto csr = Lab::csr(lab.key, {"sn-1.domain.com"});
    CHECK(Lab::word(lab.enrol(Lab::request(device, csr))) == "bad_request");
    CHECK(Lab::word(lab.enrol(Lab::request(device, csr))) == "bad_request");
    CHECK(lab.board->count() == 1);
    lab.pass(301s);
    lab.board->failure.reset();
    CHECK(Lab::word(lab.enrol(Lab::request(device, csr))) == "issued");
    CHECK(lab.board->count() == 2);
}

TEST_CASE("FLD-U7: while a failure is remembered, reply and log say since when, and when the next try is due")
{
    Lab lab;
    Error error;
    error.code = Errc::refused;
    error.message = "finalize: sn-1.domain.com: caa: forbidden by CAA";
    error.problem_type = "urn:ietf:params:acme:error:caa";
    lab.board->failure = error;
    lab.open();
    const auto device = lab.maker.idevid("SN-1");
    const auto csr = Lab::csr(lab.key, {"sn-1.domain.com"});
    const auto ask = [&] { return std::get<enrol::Refused>(lab.enrol(Lab::request(device, csr))); };
    const auto since = base::to_rfc3339(lab.now());
    const auto next_try = base::to_rfc3339(lab.now() + 300s);
    CHECK(ask().text == error.message);
    lab.pass(100s);
    // A second answer does not contain the times twice.
    for (int i = 0; i < 2; ++i)
        CHECK(ask().text ==
              error.message + "; remembered since " + since + ", the next try is due at " + next_try);
    CHECK(lab.board->count() == 1);
    const std::lock_guard lock{lab.events_mutex};
    std::vector<base::Json> decisions;
    for (const auto& event : lab.events) {
        if (event["event"] == "decision") decisions.push_back(event);
        if (event["event"] == "order" && event["level"] == "warning") CHECK(event["nextTry"] == next_try);
    }
    REQUIRE(decisions.size() == 3);
    CHECK_FALSE(decisions[0].contains("rememberedSince"));
    CHECK_FALSE(decisions[0].contains("nextTry"));
    for (std::size_t i = 1; i < decisions.size(); ++i) {
        CHECK(decisions[i]["rememberedSince"] == since);
        CHECK(decisions[i]["nextTry"] == next_try);
    }
}

TEST_CASE("INT-17: a failure from a time when the clock was ahead is not held against the device")
{
    Lab lab;
    Error error;
    error.code = Errc::unavailable;
    error.message = "directory: cannot be reached";
    lab.board->failure = error;
    lab.open();
    const auto device = lab.maker.idevid("SN-1");
    const auto csr = Lab::csr(lab.key, {"sn-1.domain.com"});
    CHECK(Lab::word(lab.enrol(Lab::request(device, csr))) == "unavailable");
    CHECK(lab.board->count() == 1);
    lab.board->failure.reset();
    lab.pass(-1h);
    CHECK(Lab::word(lab.enrol(Lab::request(device, csr))) == "issued");
    CHECK(lab.board->count() == 2);
}

namespace
{

/// What a device is told for a problem: its type, and those of its subproblems.
std::string told_for(const std::string& problem, Errc code = Errc::refused)
{
    Error error;
    error.code = code;
    error.problem_type = "urn:ietf:params:acme:error:" + problem.substr(0, problem.find(' '));
    error.problem = R"({"type":")" + error.problem_type + "\"";
    if (const auto at = problem.find(' '); at != std::string::npos) {
        error.problem += R"(,"subproblems":[)";
        for (const auto part : base::split(std::string_view{problem}.substr(at + 1), ' '))
            error.problem += R"({"type":"urn:ietf:params:acme:error:)" + std::string{part} + "\"},";
        error.problem.back() = ']';
    }
    error.problem += "}";
    return Lab::word(ra::refusal_of(error).why);
}

} // namespace

TEST_CASE("INT-18a, INT-18b, INT-18c: what the CA's problems become")
{
    CHECK(told_for("badCSR") == "bad_request");
    CHECK(told_for("caa") == "bad_request");
    CHECK(told_for("rejectedIdentifier") == "bad_identity");
    CHECK(told_for("unauthorized") == "internal");
    CHECK(told_for("serverInternal", Errc::unavailable) == "internal");
}

TEST_CASE("INT-19b, INT-20a: rate limits and 503 are for later; of several subproblems the worst decides")
{
    CHECK(told_for("rateLimited", Errc::rate_limited) == "unavailable");
    CHECK(told_for("serverInternal", Errc::temporary) == "unavailable"); // 503 with Retry-After
    CHECK(told_for("compound caa rejectedIdentifier") == "bad_identity");
    CHECK(told_for("malformed rejectedIdentifier malformed") == "internal");
    CHECK(told_for("compound rejectedIdentifier caa") == "bad_identity");
    CHECK(told_for("compound caa badCSR") == "bad_request");
}

TEST_CASE("INT-20b: the text of a refusal has what the CA said of each identifier")
{
    const std::string json = R"({"type":"urn:ietf:params:acme:error:compound","subproblems":[
        {"type":"urn:ietf:params:acme:error:caa","detail":"no","identifier":{"type":"dns","value":"a.domain.com"}},
        {"type":"urn:ietf:params:acme:error:rejectedIdentifier","identifier":{"type":"dns","value":"b.domain.com"}}]})";
    const auto refused = ra::refusal_of(acme::to_error(*acme::parse_problem(json), json, 403, std::nullopt));
    CHECK(refused.why == Refusal::bad_identity);
    CHECK(refused.text.find("a.domain.com: caa: no") != std::string::npos);
    CHECK(refused.text.find("b.domain.com: rejectedIdentifier") != std::string::npos);
}

TEST_CASE("SEC-07: an order that could not be stored costs nothing of the budget")
{
    Lab lab;
    lab.options.limits.orders_per_device = 1;
    lab.open();
    auto database = *store::Sqlite::open(lab.options.store.sqlite);
    REQUIRE(database->execute(
        "CREATE TRIGGER full BEFORE INSERT ON orders BEGIN SELECT RAISE(ABORT, 'full'); END"));
    const auto device = lab.maker.idevid("SN-1");
    const auto csr = Lab::csr(lab.key, {"sn-1.domain.com"});
    // A second later the store is tried by itself, and believed to be good until the next request.
    CHECK(comes_true([&] {
        const auto refused = lab.enrol(Lab::request(device, csr));
        REQUIRE(Lab::word(refused) == "unavailable");
        CHECK(std::get<enrol::Refused>(refused).retry_after.has_value());
        return lab.engine->status().contains("store") && !lab.engine->ready().has_value();
    }));
    CHECK(lab.board->count() == 0);
    REQUIRE(database->execute("DROP TRIGGER full"));
    CHECK(Lab::word(lab.enrol(Lab::request(device, csr))) == "issued");
    CHECK(lab.engine->ready().has_value());
    const auto next = Lab::csr(*crypto::generate_key("ec:P-256"), {"sn-1.domain.com"});
    CHECK(Lab::word(lab.enrol(Lab::request(device, next))) == "too_many"); // what was issued does cost
}

TEST_CASE("SEC-07: one device cannot spend the others' budget, and renewals keep their reserve")
{
    Lab lab;
    lab.options.limits.orders_per_device = 3;
    lab.options.limits.orders_in_total = 6;
    lab.options.limits.renewal_reserve = 2;
    lab.open();
    const auto greedy = lab.maker.idevid("greedy");
    const auto ask = [&](const crypto::Certificate& device, const std::string& name) {
        return lab.enrol(Lab::request(device, Lab::csr(*crypto::generate_key("ec:P-256"), {name})));
    };
    const auto first = ask(greedy, "greedy.domain.com");
    for (int i = 0; i < 2; ++i)
        CHECK(Lab::word(ask(greedy, "greedy.domain.com")) == "issued");
    const auto over = ask(greedy, "greedy.domain.com");
    REQUIRE(Lab::word(over) == "too_many");
    CHECK(std::get<enrol::Refused>(over).retry_after.has_value());
    const auto modest = ask(lab.maker.idevid("a"), "a.domain.com");
    CHECK(Lab::word(modest) == "issued");
    CHECK(Lab::word(ask(lab.maker.idevid("b"), "b.domain.com")) == "too_many");
    const auto certificate = std::get<enrol::Issued>(modest).certificate;
    auto renewal = Lab::request(certificate, Lab::csr(lab.key, {"a.domain.com"}, {},
                                                      certificate.subject().empty() ? "" : "a.domain.com"));
    renewal.renewal = true;
    CHECK(Lab::word(lab.enrol(std::move(renewal))) == "issued");
    lab.open(); // a restart forgets nothing
    CHECK(Lab::word(ask(lab.maker.idevid("c"), "c.domain.com")) == "too_many");
    lab.pass(25h);
    CHECK(Lab::word(ask(lab.maker.idevid("d"), "d.domain.com")) == "issued");
}

TEST_CASE("INT-11a, INT-16a, ESTS-15: what was pending is continued after a crash, with its URL, and told")
{
    Lab lab;
    lab.options.wait = 0ms;
    lab.board->hold = true;
    lab.open();
    const auto device = lab.maker.idevid("SN-1");
    const auto csr = Lab::csr(lab.key, {"sn-1.domain.com"});
    CHECK(Lab::word(lab.enrol(Lab::request(device, csr))) == "pending");
    CHECK(Lab::word(lab.enrol(Lab::request(device, csr))) == "pending");
    REQUIRE(lab.board->count() == 1);
    CHECK_FALSE(lab.board->started[0].intended);
    const auto wait_for = [&](std::size_t count) {
        REQUIRE(comes_true([&] { return lab.board->count() >= count; }));
        REQUIRE(lab.board->count() == count);
    };
    lab.open(); // the URL was never known
    wait_for(2);
    CHECK(lab.board->started[1].intended);
    std::promise<void> stored;
    auto adopted = lab.board->started[1];
    adopted.url = "https://ca.example/order/7";
    lab.board->host->placed(adopted, [&](bool) { stored.set_value(); });
    stored.get_future().wait();
    CHECK(lab.board->host->holds_order("https://ca.example/order/7"));
    lab.open();
    wait_for(3);
    CHECK(lab.board->started[2].url == "https://ca.example/order/7");
    CHECK(lab.board->started[2].id == lab.board->started[0].id);
    lab.board->issue(lab.board->started[2]);
    lab.engine->status();
    lab.options.wait = 120s;
    lab.open();
    CHECK(Lab::word(lab.enrol(Lab::request(device, csr))) == "issued");
    CHECK(lab.board->count() == 3);
}

TEST_CASE("ESTS-01a, INT-16c: the same request for two labels gets a certificate of the profile of each")
{
    Lab lab;
    lab.options.labels["short"] = {.profile = "shortlived"};
    lab.options.labels["long"] = {.profile = "classic"};
    lab.open();
    const auto device = lab.maker.idevid("SN-1");
    const auto csr = Lab::csr(lab.key, {"sn-1.domain.com"});
    const auto digest_for = [&](const char* label) {
        auto wanted = Lab::request(device, csr);
        wanted.label = label;
        return Lab::digest(lab.enrol(std::move(wanted)));
    };
    const auto first = digest_for("short");
    const auto second = digest_for("long");
    CHECK(first != second);
    CHECK(lab.board->count() == 2);
    CHECK(lab.board->started[0].profile == "shortlived");
    CHECK(lab.board->started[1].profile == "classic");
    CHECK(digest_for("short") == first);
    CHECK(digest_for("long") == second);
    CHECK(lab.board->count() == 2);
    // Of a label whose profile was changed.
    lab.options.labels["long"].profile = "tlsserver";
    lab.open();
    const auto third = digest_for("long");
    CHECK(third != second);
    CHECK(digest_for("long") == third);
    CHECK(lab.board->count() == 3);
}

TEST_CASE("TEAP-14a: a request waits as long as its protocol permits, whatever others wait")
{
    Lab lab;
    lab.options.wait = 0ms;
    lab.open();
    auto patient = Lab::request(lab.maker.idevid("SN-1"), Lab::csr(lab.key, {"sn-1.domain.com"}));
    patient.wait = 120s;
    CHECK(Lab::word(lab.enrol(std::move(patient))) == "issued");

    lab.options.wait = 120s;
    lab.board->hold = true;
    lab.open();
    auto hasty = Lab::request(lab.maker.idevid("SN-2"), Lab::csr(lab.key, {"sn-2.domain.com"}));
    hasty.wait = 0ms;
    CHECK(Lab::word(lab.enrol(std::move(hasty))) == "pending");
}

TEST_CASE("INT-16c: sixteen callers with one CSR get one order and one certificate")
{
    Lab lab;
    lab.open();
    const auto device = lab.maker.idevid("SN-1");
    const auto csr = Lab::csr(lab.key, {"sn-1.domain.com"});
    std::vector<std::string> digests(16);
    std::vector<std::thread> callers;
    for (auto& digest : digests)
        callers.emplace_back([&] { digest = Lab::digest(lab.enrol(Lab::request(device, csr))); });
    for (auto& caller : callers)
        caller.join();
    for (const auto& digest : digests)
        CHECK(digest == digests.front());
    CHECK(lab.board->count() == 1);
}

TEST_CASE("INT-21b, INT-22a, INT-22b: /cacerts before and after the first issuance, and with a wrong root")
{
    Lab lab;
    lab.open();
    const auto before = lab.engine->ca_certificates("");
    REQUIRE(before.has_value());
    CHECK(before->size() == 1);
    CHECK_FALSE(lab.engine->ca_certificates("nowhere").has_value());
    const auto device = lab.maker.idevid("SN-1");
    REQUIRE(Lab::word(lab.enrol(Lab::request(device, Lab::csr(lab.key, {"sn-1.domain.com"})))) == "issued");
    CHECK(lab.engine->ca_certificates("")->size() == 2);
    lab.open();
    CHECK(lab.engine->ca_certificates("")->size() == 2);
    lab.options.cacerts.roots = {lab.folder.write("wrong.pem", Maker{"Wrong Root"}.certificate.to_pem())};
    lab.open();
    const auto other = lab.maker.idevid("SN-2");
    lab.enrol(Lab::request(other, Lab::csr(*crypto::generate_key("ec:P-256"), {"sn-2.domain.com"})));
    CHECK(lab.engine->status()["cacerts"].contains("error"));
    CHECK(lab.engine->ca_certificates("")->size() == 1);
    lab.options.cacerts.roots = {lab.folder.write("leaf.pem", lab.maker.idevid("x").to_pem())};
    CHECK_FALSE(ra::Engine::open(lab.options, ra::Engine::Parts{}).has_value());
}

TEST_CASE(
    "INT-23: /cacerts has the old intermediate and the new one until what the old one signed has expired")
{
    Lab lab;
    lab.open();
    const auto enrolled = [&](const std::string& serial) {
        const auto key = *crypto::generate_key("ec:P-256");
        return Lab::word(
            lab.enrol(Lab::request(lab.maker.idevid(serial), Lab::csr(key, {serial + ".domain.com"}))));
    };
    REQUIRE(enrolled("sn-1") == "issued");
    CHECK(lab.engine->ca_certificates("")->size() == 2);
    const auto old = lab.engine->ca_certificates("")->back();

    std::filesystem::remove(lab.folder / "ca/intermediate.pem");
    std::filesystem::remove(lab.folder / "ca/intermediate.key");
    lab.board->authority =
        std::make_shared<ca::Authority>(*ca::Authority::open(lab.folder / "ca", {"localhost"}, lab.now()));
    lab.pass(std::chrono::hours{24 * 60});
    REQUIRE(enrolled("sn-2") == "issued");
    CHECK(lab.engine->ca_certificates("")->size() == 3);
    CHECK_FALSE(lab.engine->status()["cacerts"].contains("error"));
    lab.open();
    CHECK(lab.engine->ca_certificates("")->size() == 3);

    lab.pass(std::chrono::hours{24 * 31}); // the first device's certificate is over, the second's is not
    lab.open();
    REQUIRE(comes_true([&] { return lab.engine->ca_certificates("")->size() == 2; }));
    CHECK(lab.engine->ca_certificates("")->back().sha256() != old.sha256());
}

namespace
{

/// What an order of the registration authority's own came to: empty if it has its certificate.
std::string own_order(ra::Engine& engine)
{
    auto outcome = std::make_shared<std::promise<std::string>>();
    auto future = outcome->get_future();
    engine.order_own([outcome](const enrol::Decision& decision) {
        outcome->set_value(Lab::word(decision) == "issued" ? "" : std::get<enrol::Refused>(decision).text);
    });
    return future.get();
}

} // namespace

TEST_CASE(
    "FLD-E6, INT-29: an order of the RA's own shows the intermediate, is placed once, and owns its name")
{
    Lab lab;
    lab.options.cacerts.order = "probe.domain.com";
    lab.open();
    CHECK_FALSE(lab.engine->knows_issuer());
    CHECK(own_order(*lab.engine) == "");
    CHECK(lab.board->count() == 1);
    CHECK(lab.engine->ca_certificates("")->size() == 2);
    CHECK(lab.engine->knows_issuer());
    lab.open();
    CHECK(lab.engine->knows_issuer());
    const auto device = lab.maker.idevid("probe");
    CHECK(Lab::word(lab.enrol(Lab::request(device, Lab::csr(lab.key, {"probe.domain.com"})))) != "issued");
    CHECK(lab.board->count() == 1);
}

TEST_CASE("FLD-E6: an order of the RA's own that failed is remembered; the next run of it continues")
{
    Lab lab;
    lab.options.cacerts.order = "probe.domain.com";
    lab.open();
    Error error;
    error.code = Errc::refused;
    error.message = "no";
    lab.board->failure = error;
    CHECK(own_order(*lab.engine) != "");
    lab.open();
    lab.board->failure.reset();
    CHECK(own_order(*lab.engine) != "");
    CHECK(lab.board->count() == 1);
    lab.pass(lab.options.remember_failure + 1s);
    CHECK(own_order(*lab.engine) == "");
    CHECK(lab.board->count() == 2);
}

TEST_CASE("FLD-E6: a chain of the CA's own teaches the intermediate, a strange one nothing")
{
    Lab lab;
    lab.open();
    const auto own = lab.board->authority->issue(lab.key, {{"dns", "relay.domain.com"}}, lab.now(), 24h);
    REQUIRE(own);
    CHECK_FALSE(lab.engine->learn({lab.maker.idevid("x"), lab.maker.certificate}));
    CHECK_FALSE(lab.engine->learn({own->front()}));
    CHECK(lab.engine->ca_certificates("")->size() == 1);
    CHECK(lab.engine->learn(*own));
    CHECK(lab.engine->ca_certificates("")->size() == 2);
    CHECK(lab.engine->status()["cacerts"].contains("error") == false);
    lab.open();
    CHECK(lab.engine->knows_issuer());
}

TEST_CASE("INT-28b: a root that is added by a reload makes the intermediates known that came before it")
{
    Lab lab;
    const auto right = lab.options.cacerts.roots.front();
    lab.options.cacerts.roots = {lab.folder.write("old.pem", Maker{"Old Root"}.certificate.to_pem())};
    lab.open();
    REQUIRE(Lab::word(lab.enrol(
                Lab::request(lab.maker.idevid("SN-1"), Lab::csr(lab.key, {"sn-1.domain.com"})))) == "issued");
    CHECK(lab.engine->ca_certificates("")->size() == 1);
    lab.options.cacerts.roots.push_back(right);
    auto put = lab.engine->prepare(lab.options);
    REQUIRE(put);
    (*put)();
    CHECK(lab.engine->ca_certificates("")->size() == 3);
}

TEST_CASE("INT-27: an order that does not come to an end holds nobody else up")
{
    Lab lab;
    lab.options.wait = 600s;
    lab.board->hold = true;
    lab.open();
    const auto slow = lab.maker.idevid("slow");
    std::promise<enrol::Decision> answer;
    auto future = answer.get_future();
    lab.engine->enrol(Lab::request(slow, Lab::csr(lab.key, {"slow.domain.com"})),
                      [&](enrol::Decision decision) { answer.set_value(std::move(decision)); });
    while (lab.board->count() == 0)
        std::this_thread::sleep_for(1ms);
    {
        const std::lock_guard lock{lab.board->mutex};
        lab.board->hold = false;
    }
    const auto quick = lab.maker.idevid("quick");
    const auto key = *crypto::generate_key("ec:P-256");
    CHECK(Lab::word(lab.enrol(Lab::request(quick, Lab::csr(key, {"quick.domain.com"})))) == "issued");
    CHECK(std::get<enrol::CsrAttributes>(lab.attributes(&slow)).identifiers.size() == 1);
    CHECK(lab.engine->ca_certificates("")->size() == 2);
    CHECK(future.wait_for(0s) == std::future_status::timeout);
    lab.board->issue(lab.board->started[0]);
    CHECK(Lab::word(future.get()) == "issued");
}

TEST_CASE("INT-06b, INT-07: with san = table the names come from the inventory, all of them and no other")
{
    Lab lab;
    lab.options.idevid.inventory =
        lab.folder.write("devices.csv", "serial,label,name\npump,,p1,p2.domain.com\nbare,,\n");
    lab.options.labels[""] = {"", "", "table", ""};
    lab.open();
    const auto pump = lab.maker.idevid("pump");
    const auto told = std::get<enrol::CsrAttributes>(lab.attributes(&pump));
    CHECK(told.identifiers ==
          std::vector<crypto::Identifier>{{"dns", "p1.domain.com"}, {"dns", "p2.domain.com"}});
    const auto ask = [&](const crypto::Certificate& device, const std::vector<std::string>& names) {
        return Lab::word(lab.enrol(Lab::request(device, Lab::csr(*crypto::generate_key("ec:P-256"), names))));
    };
    CHECK(ask(pump, {"p1.domain.com"}) == "bad_identity");
    CHECK(ask(pump, {"pump.domain.com"}) == "bad_identity");
    CHECK(ask(pump, {"p1.domain.com", "p2.domain.com", "p3.domain.com"}) == "bad_identity");
    CHECK(ask(pump, {"p2.domain.com", "p1.domain.com"}) == "issued");
    CHECK(ask(lab.maker.idevid("bare"), {"bare.domain.com"}) == "forbidden");
    CHECK(ask(lab.maker.idevid("other"), {"p1.domain.com"}) == "forbidden");
}

TEST_CASE("ESTS-19: an RA, with id-kp-cmcRA in a certificate issued here, need not match the session")
{
    Lab lab;
    lab.options.wait = 0ms;
    lab.board->hold = true;
    // "secret" by openssl passwd -5
    lab.options.users_file = lab.folder.write(
        "users", "alice:$5$saltsalt$0IyaXrmV7.sGNS6tirgqHLqX/G.FBvgkYA.lpPdS5sA:alice.domain.com\n");
    lab.open();
    const auto ra_key = *crypto::generate_key("ec:P-256");
    const auto certificate = [&](const std::string& name, const std::string& usage) {
        return make_certificate(
            ra_key, name, "", lab.maker.key, "Some CA", false, "20991231235959Z",
            {{NID_subject_alt_name, "DNS:" + name + ".domain.com"}, {NID_ext_key_usage, usage}});
    };
    std::size_t orders = 0;
    const auto issue = [&](const std::string& name, const std::string& usage) {
        const auto made = certificate(name, usage);
        lab.enrol(Lab::request(lab.maker.idevid(name), Lab::csr(ra_key, {name + ".domain.com"})));
        ++orders;
        while (lab.board->count() < orders)
            std::this_thread::sleep_for(1ms);
        lab.board->host->issued(lab.board->started.back().id, {made});
        return made;
    };
    const auto ra = issue("ra", "clientAuth,1.3.6.1.5.5.7.3.28");
    const auto device = issue("device", "clientAuth");
    const auto ask = [&](const crypto::Certificate& with, const std::string& name, enrol::Binding binding,
                         const std::string& user = {}, bool by_est = true) {
        auto request = Lab::request(
            with, Lab::csr(*crypto::generate_key("ec:P-256"), {name + ".domain.com"}, "binding"));
        request.binding = binding;
        request.relayed_by_ra = by_est;
        request.peer.user = user;
        if (!user.empty()) request.peer.password = base::Secret{std::string{"secret"}};
        return Lab::word(lab.enrol(std::move(request)));
    };
    CHECK(ask(ra, "ra", enrol::Binding::differs, {}, false) == "pop_failed"); // TEAP-12b
    CHECK(ask(ra, "ra", enrol::Binding::differs) == "pending");
    CHECK(ask(device, "device", enrol::Binding::differs) == "pop_failed");
    CHECK(ask(device, "device", enrol::Binding::matches) == "pending");
    // The same words in a certificate of anybody's change nothing for who has a password.
    const auto own = certificate("alice", "1.3.6.1.5.5.7.3.28");
    CHECK(ask(own, "alice", enrol::Binding::differs) == "unauthenticated");
    CHECK(ask(own, "alice", enrol::Binding::differs, "alice") == "pop_failed");
    CHECK(ask(own, "alice", enrol::Binding::matches, "alice") == "pending");
    lab.options.pop = ra::Pop::required;
    lab.open();
    CHECK(ask(ra, "ra", enrol::Binding::absent) == "pending");
    CHECK(ask(device, "device", enrol::Binding::absent) == "pop_failed");
}

TEST_CASE("ESTS-07b, ESTS-08a: channel bindings")
{
    Lab lab;
    lab.options.pop = ra::Pop::required;
    lab.open();
    const auto device = lab.maker.idevid("SN-1");
    const auto ask = [&](enrol::Binding binding) {
        auto request = Lab::request(device, Lab::csr(lab.key, {"sn-1.domain.com"}, "binding"));
        request.binding = binding;
        return Lab::word(lab.enrol(std::move(request)));
    };
    CHECK(ask(enrol::Binding::absent) == "pop_failed");
    CHECK(ask(enrol::Binding::differs) == "pop_failed");
    CHECK(ask(enrol::Binding::matches) == "issued");
    CHECK(std::get<enrol::CsrAttributes>(lab.attributes(&device)).channel_binding);
}

TEST_CASE(
    "TEAP-12b, TEAP-12d: by TEAP another tunnel's binding is refused, and none only if policy demands one")
{
    Lab lab;
    const auto device = lab.maker.idevid("SN-1");
    const auto ask = [&](enrol::Binding binding) {
        auto request = Lab::request(device, Lab::csr(lab.key, {"sn-1.domain.com"}, "binding"));
        request.binding = binding;
        request.relayed_by_ra = false;
        return Lab::word(lab.enrol(std::move(request)));
    };
    lab.open();
    CHECK(ask(enrol::Binding::differs) == "pop_failed");
    CHECK(ask(enrol::Binding::absent) == "issued");
    lab.options.pop = ra::Pop::required;
    lab.open();
    CHECK(ask(enrol::Binding::absent) == "pop_failed");
    CHECK(ask(enrol::Binding::matches) == "issued");
}

TEST_CASE("INT-14b, ESTS-05a, ESTS-23b: users, their passwords and their names")
{
    Lab lab;
    // "secret" by openssl passwd -5
    lab.options.users_file = lab.folder.write(
        "users",
        "# who\nalice:$5$saltsalt$0IyaXrmV7.sGNS6tirgqHLqX/G.FBvgkYA.lpPdS5sA:a.domain.com,b.domain.com\n");
    lab.open();
    const auto ask = [&](const std::string& user, const std::string& password, const std::string& name) {
        enrol::EnrolRequest request;
        request.peer.user = user;
        request.peer.password = base::Secret{password};
        request.csr = Lab::csr(lab.key, {name});
        return Lab::word(lab.enrol(std::move(request)));
    };
    CHECK(ask("alice", "secret", "a.domain.com") == "issued");
    CHECK(lab.board->count() == 1);
    CHECK(ask("alice", "secret", "b.domain.com") == "issued"); // by the same key
    CHECK(lab.board->count() == 2);
    CHECK(ask("alice", "secret", "c.domain.com") == "bad_identity");
    CHECK(ask("alice", "wrong", "a.domain.com") == "unauthenticated");
    CHECK(ask("bob", "secret", "a.domain.com") == "unauthenticated");
    CHECK(ask("", "", "a.domain.com") == "unauthenticated");
}

TEST_CASE("SEC-16: a flood of wrong passwords is turned away, and others' right ones go on")
{
    Lab lab;
    // "secret" by openssl passwd -5 with the fewest rounds there are: a second is enough to compare one
    // anywhere.
    const std::string hash = "$5$rounds=1000$saltsalt$eKLZU9t9OoPWrqOQsoTIKG0aYkZ5rGOoOQhiIvoSWX2";
    std::string lines = "alice:" + hash + ":alice.domain.com\n";
    for (char other = '0'; other <= '9'; ++other)
        lines += std::string{other} + ":" + hash + ":" + other + ".domain.com\n";
    lab.options.users_file = lab.folder.write("users", lines);
    lab.open();
    const auto ask = [&](const std::string& address, const std::string& user, const std::string& password) {
        enrol::EnrolRequest request;
        request.peer.address = address;
        request.peer.user = user;
        request.peer.password = base::Secret{password};
        request.csr = Lab::csr(lab.key, {user + ".domain.com"});
        return lab.enrol(std::move(request));
    };
    // Ten wrong passwords at once and one a second are looked at, of users that there are and others alike.
    const auto flood = [&](const std::function<std::string(int)>& address) {
        enrol::Decision last = enrol::Pending{};
        for (int i = 0; i < 200 && Lab::word(last) != "too_many"; ++i)
            last = ask(address(i), i % 2 == 0 ? "alice" : "bob", std::to_string(i));
        return last;
    };
    const auto of_one = [](int) { return "192.0.2.1"; };
    const auto last = flood(of_one);
    REQUIRE(Lab::word(last) == "too_many");
    CHECK(std::get<enrol::Refused>(last).retry_after.has_value());
    // The flood may have reached its limit just before a second was over: then a right one is let in, and the
    // next user's comes after another flood.
    bool is_turned_away = false;
    for (char other = '0'; other <= '9' && !is_turned_away; ++other) {
        flood(of_one);
        is_turned_away = Lab::word(ask("192.0.2.1", std::string{other}, "secret")) == "too_many";
    }
    CHECK(is_turned_away);
    CHECK(Lab::word(ask("192.0.2.2", "alice", "secret")) == "issued");
    CHECK(Lab::word(ask("192.0.2.1", "alice", "secret")) == "issued"); // it is remembered
    // One host has a whole /64.
    CHECK(Lab::word(flood([](int i) { return "2001:db8::" + std::to_string(i); })) == "too_many");
    CHECK(Lab::word(ask("2001:db8:0:1::1", "alice", "no")) == "unauthenticated");
}

TEST_CASE("ESTS-22: each decision is an event with identity, digest, names and order")
{
    Lab lab;
    lab.open();
    const auto device = lab.maker.idevid("SN-1");
    lab.enrol(Lab::request(device, Lab::csr(lab.key, {"sn-1.domain.com"})));
    lab.engine.reset();
    bool found = false;
    std::string id;
    for (const auto& event : lab.events) {
        if (event["event"] != "decision") continue;
        found = true;
        CHECK(event["device"].get<std::string>().starts_with("SN-1@"));
        CHECK(event["request_id"] == "r1");
        CHECK(event["csrSha256"].get<std::string>().size() == 64);
        CHECK(event["identifiers"][0] == "sn-1.domain.com");
        CHECK(event["decision"] == "issued");
        id = event["id"];
    }
    CHECK(found);
    CHECK(std::any_of(lab.events.begin(), lab.events.end(), [&](const auto& event) {
        return event["event"] == "order" && event["id"] == id &&
               event["order"].template get<std::string>().starts_with("https://ca.example/order/");
    }));
}

namespace
{

/// Round trips of the writer so far. Asking costs one.
std::uint64_t trips(Lab& lab)
{
    std::promise<std::uint64_t> promise;
    lab.engine->commits()->post(
        {[&](store::Database& database, store::GroupCommit::After& after) -> Result<void> {
             const auto count = dynamic_cast<store::Postgresql&>(database).round_trips();
             after.push_back([&promise, count] { promise.set_value(count); });
             return {};
         },
         nullptr});
    return promise.get_future().get();
}

/// What an enrolment costs at least, and a renewal.
std::pair<std::uint64_t, std::uint64_t> count_trips(bool inventory_in_store)
{
    const auto store = new_database("ra_trips");
    if (!store) return {};
    const auto owner = *store::open_database(*store);
    REQUIRE(ra::Records::prepare(*owner));
    Lab lab;
    lab.options.store = *store;
    lab.options.idevid.accept_any = !inventory_in_store;
    lab.options.idevid.inventory_in_store = inventory_in_store;
    for (int i = 0; i < 4; ++i)
        REQUIRE(ra::InventoryRecords{*owner}.add({ra::InventoryLine{"sn-" + std::to_string(i), {}, ""}}));
    lab.open();
    const auto enrolled = [&lab](enrol::EnrolRequest request) {
        const auto before = trips(lab);
        const auto decision = lab.enrol(std::move(request));
        REQUIRE(Lab::word(decision) == "issued");
        return std::pair{trips(lab) - before - 1, std::get<enrol::Issued>(decision).certificate};
    };
    // The lease is prolonged now and then, which is not theirs.
    std::uint64_t first = 1000;
    std::uint64_t next = 1000;
    for (int i = 0; i < 4; ++i) {
        const auto serial = "sn-" + std::to_string(i);
        const auto name = serial + ".domain.com";
        const auto [enrolment, certificate] =
            enrolled(Lab::request(lab.maker.idevid(serial), Lab::csr(lab.key, {name})));
        first = std::min(first, enrolment);
        auto renewal = Lab::request(certificate, Lab::csr(*crypto::generate_key("ec:P-256"), {name}));
        renewal.renewal = true;
        next = std::min(next, enrolled(std::move(renewal)).first);
    }
    return {first, next};
}

} // namespace

TEST_CASE("SCL-21: an enrolment costs a shared database ten round trips at most, and so does a renewal")
{
    const auto [first, next] = count_trips(false);
    if (first == 0) return;
    // And one to read the CSR.
    CAPTURE(first);
    CAPTURE(next);
    CHECK(first + 1 <= 10);
    CHECK(next + 1 <= 10);
}

TEST_CASE("SCL-36: the inventory in a shared database costs no further round trip")
{
    const auto without = count_trips(false);
    if (without.first == 0) return;
    const auto with = count_trips(true);
    CHECK(with.first == without.first);
    CHECK(with.second == without.second);
}

TEST_CASE("benchmark: sixteen callers, durable decisions; prints their number per second" *
          doctest::skip(std::getenv("ACMETOOL_BENCH") == nullptr))
{
    Lab lab;
    lab.options.limits = {100, 1'000'000, 0, 24h, 32};
    lab.open();
    constexpr int kCallers = 16;
    constexpr int kEach = 250;
    std::vector<std::vector<enrol::EnrolRequest>> requests(kCallers);
    for (int i = 0; i < kCallers; ++i)
        for (int j = 0; j < kEach; ++j) {
            const auto serial = "d" + std::to_string(i * kEach + j);
            requests[static_cast<std::size_t>(i)].push_back(
                Lab::request(lab.maker.idevid(serial),
                             Lab::csr(*crypto::generate_key("ec:P-256"), {serial + ".domain.com"})));
        }
    std::atomic<int> issued{0};
    const auto began = std::chrono::steady_clock::now();
    std::vector<std::thread> callers;
    for (auto& mine : requests)
        callers.emplace_back([&] {
            for (auto& request : mine)
                if (Lab::word(lab.enrol(std::move(request))) == "issued") ++issued;
        });
    for (auto& caller : callers)
        caller.join();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    const auto rate = std::to_string(issued / took.count());
    MESSAGE(rate, " decisions/s");
    CHECK(issued == kCallers * kEach);
}

TEST_CASE("a CSR that was kept is given once; a later one replaces it, and the oldest of many go")
{
    ra::RecentCsrs recent;
    CHECK_FALSE(recent.take("none"));
    recent.keep("a", {1});
    recent.keep("a", {2});
    recent.keep("b", {3});
    CHECK(recent.take("a") == std::optional<Bytes>{Bytes{2}});
    CHECK_FALSE(recent.take("a"));
    recent.keep("b", {}); // the store has it
    CHECK_FALSE(recent.take("b"));
    for (int i = 0; i < 100; ++i)
        recent.keep(std::to_string(i), {4});
    CHECK_FALSE(recent.take("0"));
    CHECK(recent.take("99"));
}
