#include <doctest/doctest.h>

#include "fixture.h"
#include "registrar/est_adapter.h"
#include "registrar/teap_adapter.h"

namespace acmetool::registrar
{

using namespace std::chrono_literals;
using test::RegistrarLab;

namespace
{

http::ServerRequest post(const std::string& resource, const std::string& type, const std::string& body,
                         const std::vector<crypto::Certificate>& certificates)
{
    http::ServerRequest request;
    request.method = "POST";
    request.target = "/.well-known/brski/" + resource;
    request.headers = {{"content-type", type}};
    request.body = body;
    auto tls = std::make_shared<http::TlsFacts>();
    tls->certificates = certificates;
    request.tls = std::move(tls);
    return request;
}

std::future<http::ServerResponse> handle(RegistrarLab& lab, http::ServerRequest request)
{
    auto answer = std::make_shared<std::promise<http::ServerResponse>>();
    EstAdapter{*lab.subject, lab}.handle(std::move(request), [answer](http::ServerResponse response) {
        answer->set_value(std::move(response));
    });
    return answer->get_future();
}

const std::string kJws{brski::kJwsVoucher};

} // namespace

TEST_CASE("Each cause has an HTTP status (BRR-04a, BRR-04b)")
{
    CHECK(http_status_of(Cause::malformed) == 400);
    CHECK(http_status_of(Cause::other_registrar) == 401);
    CHECK(http_status_of(Cause::bad_request) == 403);
    CHECK(http_status_of(Cause::unknown_device) == 404);
    CHECK(http_status_of(Cause::masa_no_such_format) == 406);
    CHECK(http_status_of(Cause::replaced) == 409);
    CHECK(http_status_of(Cause::unknown_media_type) == 415);
    CHECK(http_status_of(Cause::misconfigured) == 500);
    CHECK(http_status_of(Cause::unavailable) == 503);
    CHECK(http_status_of(Cause::masa_silent) == 504);
    CHECK(http_status_of(Cause::masa_pending) == 504);
}

TEST_CASE("The registrar over HTTP answers by status and media type (BRR-04d, BRR-13a, BRR-13b)")
{
    RegistrarLab lab;
    lab.options.wait = 0ms;
    lab.options.retry_after = 3s;
    lab.open();
    const auto device = lab.pledge("SN-1");
    const auto body = std::string{as_text(lab.request(device))};
    const auto status = [&](http::ServerRequest request) {
        return handle(lab, std::move(request)).get().status;
    };
    CHECK(EstAdapter::is_target("/.well-known/brski/requestvoucher"));
    CHECK_FALSE(EstAdapter::is_target("/.well-known/est/cacerts"));
    CHECK(status(post("cacerts", kJws, body, device.chain())) == 404);
    CHECK(status(post("requestvoucher", "application/json", body, device.chain())) == 415);
    CHECK(status(post("requestvoucher", kJws, body, {})) == 403);
    CHECK(status(post("requestvoucher", kJws, "junk", device.chain())) == 400);
    auto request = post("requestvoucher", kJws, body, device.chain());
    request.headers.emplace_back("accept", "text/html");
    CHECK(status(request) == 406);
    request.method = "GET";
    const auto get = handle(lab, request).get();
    CHECK(get.status == 405);
    CHECK(http::find(get.headers, "allow") == "POST");

    const auto elsewhere = test::make_identity("another registrar");
    const auto other = std::string{as_text(lab.request(device, elsewhere.certificate))};
    const auto closed = handle(lab, post("requestvoucher", kJws, other, device.chain())).get();
    CHECK(closed.status == 401);
    CHECK(closed.body.empty());
    CHECK(http::find(closed.headers, "connection") == "close");

    const auto later = handle(lab, post("requestvoucher?x", kJws, body, device.chain())).get();
    CHECK(later.status == 202);
    CHECK(later.body.empty());
    CHECK(http::find(later.headers, "retry-after") == "3");

    const std::string good = R"({"version":1,"status":true,"colour":"red"})";
    CHECK(status(post("voucher_status", "text/plain", good, device.chain())) == 415);
    CHECK(status(post("voucher_status", "application/json", good, {})) == 403);
    CHECK(status(post("voucher_status", "application/json", "{}", device.chain())) == 400);
    CHECK(status(post("voucher_status", "application/json", good, device.chain())) == 200);
    CHECK(lab.has_event("unknown", "colour"));
    CHECK(status(post("enrollstatus", "application/json", good, lab.pledge("SN-2").chain())) == 404);

    lab.unwelcome = enrol::Refused{enrol::Refusal::unavailable, "busy", 3s};
    const auto busy = handle(lab, post("requestvoucher", kJws, body, device.chain())).get();
    CHECK(busy.status == 503);
    CHECK(http::find(busy.headers, "retry-after") == "3");
}

TEST_CASE("The registrar over HTTP forwards the voucher with its media type (BRR-10a)")
{
    RegistrarLab lab;
    lab.open();
    const auto device = lab.pledge("SN-1");
    const auto body = std::string{as_text(lab.request(device))};
    auto answer = handle(lab, post("requestvoucher", kJws, body, device.chain()));
    const auto asked = lab.masa->question(0);
    CHECK(asked.question.accept == kJws);
    const auto voucher = lab.voucher(asked.question);
    asked.hear(voucher);
    const auto response = answer.get();
    CHECK(response.status == 200);
    CHECK(http::find(response.headers, "content-type") == kJws);
    CHECK(response.body == as_text(voucher.octets));
}

TEST_CASE("Without a manufacturer nothing of BRSKI is answered")
{
    RegistrarLab lab;
    lab.options.manufacturers.clear();
    lab.open();
    CHECK(handle(lab, post("requestvoucher", kJws, "", {})).get().status == 404);
    CHECK(lab.subject->status()["devices"].empty());
    // Such a relay has no tables for it.
    CHECK_FALSE(lab.connect()->execute("SELECT id FROM brski_devices"));
}

TEST_CASE("TRC-01a: a pledge's requests over HTTP and their answers are in the trace, with the ID that the "
          "MASA's has")
{
    RegistrarLab lab;
    lab.options.wait = 0ms;
    lab.options.retry_after = 3s; // so short that it is not spread
    lab.keeps_messages = true;
    lab.open();
    const auto device = lab.pledge("SN-1");
    const auto request = lab.request(device);
    const auto body = std::string{as_text(request)};
    handle(lab, post("requestvoucher", kJws, body, device.chain())).get();
    lab.masa->question(0).hear(lab.voucher(lab.masa->question(0).question));
    REQUIRE(lab.reaches("ready"));
    handle(lab, post("requestvoucher", kJws, body, device.chain())).get();
    handle(lab, post("enrollstatus", "application/json", "{}", {})).get();
    std::vector<std::string> drawn;
    for (const auto& one : lab.messages)
        drawn.push_back(one.from + ">" + one.to + " " + one.label);
    CHECK(drawn == std::vector<std::string>{"client>ra POST /requestvoucher", "ra>client 202 Retry-After=3",
                                            "client>ra POST /requestvoucher", "ra>client 200 voucher",
                                            "client>ra POST /enrollstatus", "ra>client 403"});
    CHECK(lab.messages[0].device == enrol::holder_of(device.chain()));
    CHECK(lab.messages[3].device == lab.messages[0].device);
    CHECK(lab.messages[5].device.empty());
    CHECK_FALSE(lab.messages[5].detail.empty());
    CHECK(lab.messages[0].request_id.size() == 16);
    CHECK(lab.messages[1].request_id == lab.messages[0].request_id);
    CHECK(lab.messages[2].request_id != lab.messages[0].request_id);
    CHECK(lab.masa->question(0).question.request_id == lab.messages[0].request_id);
    CHECK(lab.has_event("request_id", lab.messages[0].request_id));
}

TEST_CASE("The registrar behind TEAP grants, asks for patience, and tells away from no (TBR-03b, TBR-03c)")
{
    RegistrarLab lab; // over EST, requests wait for two minutes
    lab.open();
    TeapAdapter teap{*lab.subject};
    const auto device = lab.pledge("SN-1");
    const auto octets = lab.request(device);
    CHECK(teap.wants_voucher(RegistrarLab::peer(device.chain())));
    const auto ask = [&](const Bytes& request) {
        auto answer = std::make_shared<std::promise<enrol::VoucherDecision>>();
        teap.request_voucher(
            {RegistrarLab::peer(device.chain()), "conversation", request, 0ms},
            [answer](enrol::VoucherDecision decision) { answer->set_value(std::move(decision)); });
        return answer->get_future().get();
    };
    auto decision = ask(octets);
    REQUIRE(std::holds_alternative<enrol::VoucherLater>(decision));
    CHECK(std::get<enrol::VoucherLater>(decision).retry_after >= 8s);
    CHECK(std::get<enrol::VoucherLater>(decision).retry_after <= 12s);
    const auto asked = lab.masa->question(0);
    CHECK(asked.question.request_id == "conversation");
    const auto voucher = lab.voucher(asked.question);
    asked.hear(voucher);
    REQUIRE(lab.reaches("ready"));
    decision = ask(octets);
    REQUIRE(std::holds_alternative<enrol::VoucherGranted>(decision));
    CHECK(std::get<enrol::VoucherGranted>(decision).voucher == voucher.octets);

    teap.voucher_status(RegistrarLab::peer(device.chain()), false, "signature");
    lab.commits->stop(); // it is written
    CHECK(lab.objection(RegistrarLab::peer(device.chain()))->text ==
          "this device said that its voucher is not good");

    lab.open();
    TeapAdapter other{*lab.subject};
    lab.unwelcome = enrol::Refused{enrol::Refusal::forbidden, "blocked", {}};
    auto refusal = std::make_shared<std::promise<enrol::VoucherDecision>>();
    other.request_voucher({RegistrarLab::peer(device.chain()), "", octets, 0ms},
                          [refusal](enrol::VoucherDecision said) { refusal->set_value(std::move(said)); });
    decision = refusal->get_future().get();
    REQUIRE(std::holds_alternative<enrol::VoucherRefused>(decision));
    CHECK_FALSE(std::get<enrol::VoucherRefused>(decision).unavailable);
    CHECK(std::get<enrol::VoucherRefused>(decision).text == "blocked");
}

TEST_CASE("To TEAP a MASA that is silent, or a store that fails, is unavailable")
{
    RegistrarLab lab;
    lab.options.give_up = 0s;
    lab.open();
    TeapAdapter teap{*lab.subject};
    const auto device = lab.pledge("SN-1");
    auto answer = std::make_shared<std::promise<enrol::VoucherDecision>>();
    teap.request_voucher({RegistrarLab::peer(device.chain()), "", lab.request(device), 120s},
                         [answer](enrol::VoucherDecision said) { answer->set_value(std::move(said)); });
    const auto asked = lab.masa->question(0);
    lab.passed = 5;
    asked.hear(MasaDelay{"no answer", Cause::masa_silent});
    const auto decision = answer->get_future().get();
    REQUIRE(std::holds_alternative<enrol::VoucherRefused>(decision));
    CHECK(std::get<enrol::VoucherRefused>(decision).unavailable);
}

} // namespace acmetool::registrar
