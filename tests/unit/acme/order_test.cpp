#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "../crypto/key_update.h"
#include "acme/order.h"
#include "base/json.h"

using namespace acmetool;
using acme::OrderFlow;
using base::Json;

namespace
{

const auto kNow = *base::parse_rfc3339("2026-11-23T18:58:45Z");
const std::string kOrderUrl = "https://ca.example/order/1";

acme::Directory directory()
{
    acme::Directory directory;
    directory.url = "https://ca.example/directory";
    directory.new_order = "https://ca.example/newOrder";
    return directory;
}

acme::OrderRequest request(std::vector<std::string> ancestors = {})
{
    acme::OrderRequest request;
    request.identifiers = {{"dns", "sub.domain.com"}};
    request.ancestor_domains = std::move(ancestors);
    request.csr = {0x30, 0x00};
    return request;
}

Json order_object(const std::string& status)
{
    Json object{{"status", status},
                {"identifiers", {{{"type", "dns"}, {"value", "sub.domain.com"}}}},
                {"authorizations", {"https://ca.example/authz/1"}},
                {"finalize", "https://ca.example/order/1/finalize"}};
    if (status == "valid") object["certificate"] = "https://ca.example/certificate/1";
    return object;
}

Result<acme::Reply> reply(const Json& object, int status = 200,
                          std::optional<std::chrono::seconds> retry_after = {})
{
    acme::Reply answer;
    answer.status = status;
    answer.body = object.dump();
    answer.location = kOrderUrl;
    answer.retry_after = retry_after;
    return answer;
}

/// The step that the flow sends next; its name, or what it does instead.
std::string next_step(OrderFlow& flow)
{
    const auto action = flow.next(directory());
    if (!action) return "error " + action.error().reason.word();
    if (const auto* send = std::get_if<OrderFlow::Send>(&*action))
        return std::string{acme::name_of(send->post.step)};
    if (const auto* pause = std::get_if<OrderFlow::Pause>(&*action))
        return pause->asked_for ? "retry-after" : "pause";
    return std::holds_alternative<OrderFlow::Authorize>(*action) ? "authorize" : "finished";
}

acme::Reply missing(int status, const std::string& problem)
{
    acme::Reply answer;
    answer.status = status;
    answer.body = problem.empty() ? "<html>" : Json{{"type", "urn:ietf:params:acme:error:" + problem}}.dump();
    return answer;
}

Error refusal_of(int status, const std::string& problem)
{
    http::Response response;
    response.status = status;
    response.body = missing(status, problem).body;
    return acme::error_of(response, kNow);
}

/// What a failed look at a resumed order says of it.
std::string fate_of_read(const Result<acme::Reply>& outcome, acme::OrderPast past = {})
{
    OrderFlow flow{request(), OrderFlow::Goal::downloaded};
    flow.resume(kOrderUrl, past);
    if (next_step(flow) != "order") return "not read";
    const auto taken = flow.take(outcome, kNow);
    if (taken) return "taken";
    switch (flow.fate(taken.error())) {
    case OrderFlow::Fate::stays:
        return "stays";
    case OrderFlow::Fate::lost:
        return "lost";
    case OrderFlow::Fate::doubtful:
        return "doubtful";
    }
    return "";
}

} // namespace

TEST_CASE("ACME-21, PRE-12: an order that is ready at once is finalized without a look at its authorizations")
{
    OrderFlow flow{request(), OrderFlow::Goal::finalized};
    CHECK(next_step(flow) == "newOrder");
    REQUIRE(flow.take(reply(order_object("ready"), 201), kNow));
    CHECK(next_step(flow) == "finalize");
    REQUIRE(flow.take(reply(order_object("valid")), kNow));
    CHECK(next_step(flow) == "finished");
    CHECK(flow.order().url == kOrderUrl);
}

TEST_CASE(
    "EXT-05a: a profile goes into newOrder where one is chosen; names and descriptions are the directory's")
{
    const auto payload = [](const std::string& profile) {
        auto wanted = request();
        wanted.profile = profile;
        OrderFlow flow{wanted, OrderFlow::Goal::finalized};
        const auto action = *flow.next(directory());
        return *base::parse_json(std::get<OrderFlow::Send>(action).post.payload, "payload");
    };
    CHECK(payload("short")["profile"] == "short");
    CHECK_FALSE(payload("").contains("profile"));
    const auto read = acme::parse_directory(
        R"({"newNonce":"https://ca.example/n","newAccount":"https://ca.example/a","newOrder":"https://ca.example/o",
            "revokeCert":"https://ca.example/r","keyChange":"https://ca.example/k",
            "meta":{"profiles":{"short":"six days","plain":"as ever"}}})",
        "https://ca.example/directory");
    REQUIRE(read);
    CHECK(read->profiles == std::map<std::string, std::string>{{"plain", "as ever"}, {"short", "six days"}});
}

TEST_CASE("ACME-21: an order may be processing or valid at once")
{
    OrderFlow flow{request(), OrderFlow::Goal::downloaded};
    CHECK(next_step(flow) == "newOrder");
    REQUIRE(flow.take(reply(order_object("processing"), 201), kNow));
    CHECK(next_step(flow) == "pause");
    CHECK(next_step(flow) == "order");
    REQUIRE(flow.take(reply(order_object("valid")), kNow));
    CHECK(next_step(flow) == "certificate");
}

TEST_CASE("ACME-31a: processing is polled as Retry-After says")
{
    OrderFlow flow{request(), OrderFlow::Goal::finalized};
    flow.resume(*acme::parse_order(order_object("ready").dump(), kOrderUrl));
    CHECK(next_step(flow) == "finalize");
    REQUIRE(flow.take(reply(order_object("processing"), 200, std::chrono::seconds{7}), kNow));
    CHECK(next_step(flow) == "retry-after");
    CHECK(next_step(flow) == "order");
}

TEST_CASE("ACME-31a, FAULT-11: an order that is valid before it has a certificate is waited for like one "
          "that is processing")
{
    for (const auto goal : {OrderFlow::Goal::finalized, OrderFlow::Goal::downloaded}) {
        OrderFlow flow{request(), goal};
        flow.resume(*acme::parse_order(order_object("ready").dump(), kOrderUrl));
        CHECK(next_step(flow) == "finalize");
        auto early = order_object("valid");
        early.erase("certificate");
        REQUIRE(flow.take(reply(early), kNow));
        CHECK(next_step(flow) == "pause");
        CHECK(next_step(flow) == "order");
        REQUIRE(flow.take(reply(early, 200, std::chrono::seconds{7}), kNow));
        CHECK(next_step(flow) == "retry-after");
        CHECK(next_step(flow) == "order");
        REQUIRE(flow.take(reply(order_object("valid")), kNow));
        CHECK(next_step(flow) == (goal == OrderFlow::Goal::finalized ? "finished" : "certificate"));
    }
}

TEST_CASE("ACME-31d, FAULT-10, ACME-42c: after an unclear finalize the order is read before anything else")
{
    for (const auto& [code, reason] :
         {std::pair{Errc::unavailable, "reset"}, {Errc::refused, "orderNotReady"}}) {
        OrderFlow flow{request(), OrderFlow::Goal::finalized};
        flow.resume(*acme::parse_order(order_object("ready").dump(), kOrderUrl));
        CHECK(next_step(flow) == "finalize");
        REQUIRE(flow.take(fail(code, "broken", {}, reason), kNow));
        CHECK(next_step(flow) == "pause");
        CHECK(next_step(flow) == "order");
        REQUIRE(flow.take(reply(order_object("valid")), kNow));
        CHECK(next_step(flow) == "finished");
    }
}

TEST_CASE(
    "ACME-30a, ACME-31b, ACME-33a: finalize holds the CSR and nothing else; the chain is asked for as PEM")
{
    OrderFlow flow{request(), OrderFlow::Goal::downloaded};
    flow.resume(*acme::parse_order(order_object("ready").dump(), kOrderUrl));
    auto action = flow.next(directory());
    CHECK(std::get<OrderFlow::Send>(*action).post.payload == R"({"csr":"MAA"})");
    CHECK(std::get<OrderFlow::Send>(*action).post.url == kOrderUrl + "/finalize");
    REQUIRE(flow.take(reply(order_object("valid")), kNow));
    action = flow.next(directory());
    const auto& post = std::get<OrderFlow::Send>(*action).post;
    CHECK(post.payload.empty());
    CHECK(post.accept == "application/pem-certificate-chain");
    acme::Reply junk;
    junk.body = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    CHECK_FALSE(flow.take(junk, kNow));
}

TEST_CASE("FAULT-15: an answer to finalize without Location keeps the order's URL")
{
    OrderFlow flow{request(), OrderFlow::Goal::finalized};
    flow.resume(*acme::parse_order(order_object("ready").dump(), kOrderUrl));
    CHECK(next_step(flow) == "finalize");
    auto answer = reply(order_object("processing"));
    answer->location.clear();
    REQUIRE(flow.take(answer, kNow));
    CHECK(next_step(flow) == "pause");
    const auto read = flow.next(directory());
    CHECK(std::get<OrderFlow::Send>(*read).post.url == kOrderUrl);
}

TEST_CASE("ACME-20c, ACME-03b: the order's URLs are used, whatever they look like")
{
    auto urls = order_object("pending");
    urls["authorizations"] = {"https://ca.example/z?9", "https://ca.example/other/8"};
    urls["finalize"] = "https://ca.example/end?of=order";
    OrderFlow flow{request(), OrderFlow::Goal::downloaded};
    CHECK(next_step(flow) == "newOrder");
    REQUIRE(flow.take(reply(urls, 201), kNow));
    const auto authorize = flow.next(directory());
    CHECK(std::get<OrderFlow::Authorize>(*authorize).authorizations ==
          std::vector<std::string>{"https://ca.example/z?9", "https://ca.example/other/8"});
    flow.authorized();
    const auto read = flow.next(directory());
    CHECK(std::get<OrderFlow::Send>(*read).post.url == kOrderUrl);
    urls["status"] = "ready";
    REQUIRE(flow.take(reply(urls), kNow));
    const auto finalize = flow.next(directory());
    CHECK(std::get<OrderFlow::Send>(*finalize).post.url == "https://ca.example/end?of=order");
    urls["status"] = "valid";
    urls["certificate"] = "https://ca.example/pem/0";
    REQUIRE(flow.take(reply(urls), kNow));
    const auto certificate = flow.next(directory());
    CHECK(std::get<OrderFlow::Send>(*certificate).post.url == "https://ca.example/pem/0");
}

TEST_CASE("ACME-20b: an order without a URL is none")
{
    OrderFlow flow{request(), OrderFlow::Goal::placed};
    CHECK(next_step(flow) == "newOrder");
    auto answer = reply(order_object("ready"), 201);
    answer->location.clear();
    const auto taken = flow.take(answer, kNow);
    REQUIRE_FALSE(taken);
    CHECK(taken.error().reason.word() == "noLocation");
}

TEST_CASE(
    "ACME-33c, ACME-33d, ACME-34b: a chain without its root, with blank lines or without, each by the next")
{
    const test::KeyUpdate ca;
    const auto end = ca.end({{"subjectAltName", "DNS:sub.domain.com"}});
    auto wanted = request();
    wanted.key = ca.middle_key; // as in end
    const auto taken = [&](const std::string& chain) {
        OrderFlow flow{wanted, OrderFlow::Goal::downloaded};
        flow.resume(*acme::parse_order(order_object("valid").dump(), kOrderUrl));
        CHECK(next_step(flow) == "certificate");
        acme::Reply answer;
        answer.body = chain;
        const auto result = flow.take(answer, ca.now);
        return result ? std::to_string(flow.chain().size()) : result.error().reason.word();
    };
    const auto leaf = end.to_pem();
    const auto middle = ca.middle.to_pem();
    CHECK(taken(leaf + middle) == "2");
    CHECK(taken(leaf + "\n" + middle + "\n\n") == "2");
    CHECK(taken(leaf + "\r\n\r\n" + middle) == "2");
    CHECK(taken(leaf + middle + ca.new_with_new.to_pem()) == "3");
    CHECK(taken(leaf + ca.new_with_new.to_pem()) == "chainOrder");
    CHECK(taken(leaf + ca.new_with_new.to_pem() + middle) == "chainOrder");
}

TEST_CASE("ACME-36c, ACME-40: an order whose certificate has expired is of no more use")
{
    const test::KeyUpdate ca;
    const auto end = ca.end({{"subjectAltName", "DNS:sub.domain.com"}});
    auto wanted = request();
    wanted.key = ca.middle_key; // as in end
    for (const auto& [now, fate] : {std::pair{end.not_after(), OrderFlow::Fate::lost},
                                    {end.not_after() - std::chrono::seconds{1}, OrderFlow::Fate::stays}}) {
        OrderFlow flow{wanted, OrderFlow::Goal::downloaded};
        flow.resume(*acme::parse_order(order_object("valid").dump(), kOrderUrl));
        CHECK(next_step(flow) == "certificate");
        acme::Reply answer;
        answer.body = end.to_pem();
        const auto taken = flow.take(answer, now);
        CHECK(taken.has_value() == (fate == OrderFlow::Fate::stays));
        CHECK(flow.fate(taken ? Error{} : taken.error()) == fate);
    }
}

TEST_CASE("ACME-32a, ACME-32b: badCSR leaves the order as it is, and is reported")
{
    OrderFlow flow{request(), OrderFlow::Goal::finalized};
    flow.resume(*acme::parse_order(order_object("ready").dump(), kOrderUrl));
    CHECK(next_step(flow) == "finalize");
    CHECK_FALSE(flow.take(fail(Errc::bad_input, "bad", {}, "badCSR"), kNow));
    CHECK(flow.order().status == "ready");
}

TEST_CASE("ACME-40: a resumed order is read first, and never placed again")
{
    OrderFlow flow{request(), OrderFlow::Goal::finalized};
    flow.resume(kOrderUrl);
    CHECK(next_step(flow) == "order");
    REQUIRE(flow.take(reply(order_object("processing")), kNow));
    CHECK(next_step(flow) == "pause");
}

TEST_CASE("ACME-40, ACME-42c: only the CA's word that an order is not there, or an invalid one, ends it")
{
    const acme::OrderPast finalized{false, true};
    CHECK(fate_of_read(missing(404, "malformed")) == "lost");
    CHECK(fate_of_read(missing(404, "malformed"), finalized) == "lost");
    CHECK(fate_of_read(missing(410, "malformed"), finalized) == "lost");
    // What any of the account's requests may be answered says nothing of this one.
    for (const auto* word : {"accountDoesNotExist", "userActionRequired"}) {
        CHECK(fate_of_read(fail(refusal_of(400, word))) == "stays");
        CHECK(fate_of_read(missing(404, word)) == "stays");
    }
    for (const auto* word : {"malformed", "unauthorized", "somethingNew"}) {
        CHECK(fate_of_read(fail(refusal_of(400, word))) == "doubtful");
        CHECK(fate_of_read(fail(refusal_of(403, word)), finalized) == "stays");
    }
    CHECK(fate_of_read(missing(404, "unauthorized"), finalized) == "stays");
    // A proxy's page.
    CHECK(fate_of_read(fail(refusal_of(403, ""))) == "stays");
    CHECK(fate_of_read(missing(404, "")) == "doubtful");
    CHECK(fate_of_read(missing(404, ""), finalized) == "stays");
    CHECK(fate_of_read(fail(refusal_of(500, "serverInternal"))) == "stays");
}

TEST_CASE("ACME-40, ACME-42c: a refusal of the certificate never ends its order; one of finalize may")
{
    OrderFlow flow{request(), OrderFlow::Goal::downloaded};
    flow.resume(kOrderUrl);
    CHECK(next_step(flow) == "order");
    REQUIRE(flow.take(reply(order_object("valid")), kNow));
    CHECK(next_step(flow) == "certificate");
    const auto taken = flow.take(fail(refusal_of(404, "malformed")), kNow);
    REQUIRE_FALSE(taken);
    CHECK(flow.fate(taken.error()) == OrderFlow::Fate::stays);
    for (const auto& [word, fate] : {std::pair{"unauthorized", OrderFlow::Fate::doubtful},
                                     {"", OrderFlow::Fate::stays},
                                     {"badCSR", OrderFlow::Fate::stays}}) {
        OrderFlow ready{request(), OrderFlow::Goal::downloaded};
        ready.resume(kOrderUrl);
        CHECK(next_step(ready) == "order");
        REQUIRE(ready.take(reply(order_object("ready")), kNow));
        CHECK(next_step(ready) == "finalize");
        const auto refused = ready.take(fail(refusal_of(403, word)), kNow);
        REQUIRE_FALSE(refused);
        CHECK(ready.fate(refused.error()) == fate);
    }
}

TEST_CASE("ACME-41: after finalize, a 404 on order or certificate may be a replica's, in a later run, too")
{
    const auto lenient = [](OrderFlow& flow) {
        const auto action = *flow.next(directory());
        return std::get<OrderFlow::Send>(action).post.just_created;
    };
    OrderFlow flow{request(), OrderFlow::Goal::downloaded};
    flow.resume(kOrderUrl);
    CHECK_FALSE(lenient(flow));
    REQUIRE(flow.take(reply(order_object("processing")), kNow));
    CHECK(next_step(flow) == "pause");
    CHECK(lenient(flow));
    REQUIRE(flow.take(reply(order_object("valid")), kNow));
    CHECK(lenient(flow));
    CHECK(flow.past().finalized);
    OrderFlow later{request(), OrderFlow::Goal::downloaded};
    later.resume(kOrderUrl, {false, true});
    CHECK(lenient(later));
    // It was not taken.
    REQUIRE(later.take(reply(order_object("ready")), kNow));
    CHECK_FALSE(later.past().finalized);
    CHECK(next_step(later) == "finalize");
    CHECK(later.past().finalized);
    CHECK_FALSE(later.take(fail(refusal_of(403, "unauthorized")), kNow));
    CHECK_FALSE(later.past().finalized);
}

TEST_CASE("ACME-40: a refusal is the order's if the account is valid")
{
    acme::Reply answer;
    CHECK_FALSE(acme::account_is_valid(answer));
    answer.body = R"({"status":"valid"})";
    CHECK(acme::account_is_valid(answer));
    answer.body = R"({"status":"deactivated"})";
    CHECK_FALSE(acme::account_is_valid(answer));
    CHECK_FALSE(acme::account_is_valid(fail(refusal_of(401, "unauthorized"))));
}

TEST_CASE("ACME-21: a pending order asks for its authorizations, then is read again")
{
    OrderFlow flow{request(), OrderFlow::Goal::finalized};
    CHECK(next_step(flow) == "newOrder");
    REQUIRE(flow.take(reply(order_object("pending"), 201), kNow));
    CHECK(next_step(flow) == "authorize");
    flow.authorized();
    CHECK(next_step(flow) == "order");
    REQUIRE(flow.take(reply(order_object("pending")), kNow));
    CHECK(next_step(flow) == "pause");
    CHECK(next_step(flow) == "order");
    REQUIRE(flow.take(reply(order_object("ready")), kNow));
    CHECK(next_step(flow) == "finalize");
}

TEST_CASE("ACME-22: an order whose names or authorizations change is treated as invalid")
{
    for (const auto* member : {"identifiers", "authorizations"}) {
        OrderFlow flow{request(), OrderFlow::Goal::finalized};
        CHECK(next_step(flow) == "newOrder");
        REQUIRE(flow.take(reply(order_object("processing"), 201), kNow));
        Json changed = order_object("ready");
        changed["identifiers"] = member == std::string{"identifiers"}
                                     ? Json{{{"type", "dns"}, {"value", "other.domain.com"}}}
                                     : changed["identifiers"];
        if (member == std::string{"authorizations"})
            changed["authorizations"] = {"https://ca.example/authz/2"};
        CHECK(next_step(flow) == "pause");
        CHECK(next_step(flow) == "order");
        const auto taken = flow.take(reply(changed), kNow);
        REQUIRE_FALSE(taken);
        CHECK(taken.error().reason.word() == "orderChanged");
    }
}

TEST_CASE("ACME-31c, FAULT-05: an invalid order ends with its error")
{
    OrderFlow flow{request(), OrderFlow::Goal::finalized};
    CHECK(next_step(flow) == "newOrder");
    Json invalid = order_object("invalid");
    invalid["error"] = {{"type", "urn:ietf:params:acme:error:caa"}, {"detail", "forbidden"}};
    REQUIRE(flow.take(reply(invalid, 201), kNow));
    CHECK(next_step(flow) == "error caa");
}

TEST_CASE("PRE-10a: ancestorDomain goes with the names below it only")
{
    auto wanted = request({"domain.com", "sub.domain.com", "ub.domain.com", "other.org"});
    OrderFlow flow{wanted, OrderFlow::Goal::placed};
    const auto action = flow.next(directory());
    const auto payload = *base::parse_json(std::get<OrderFlow::Send>(*action).post.payload, "payload");
    CHECK(payload["identifiers"] ==
          Json{{{"type", "dns"}, {"value", "sub.domain.com"}, {"ancestorDomain", "domain.com"}}});
}

TEST_CASE("FAULT-11: orders that lack what their status demands")
{
    CHECK(acme::parse_order(order_object("ready").dump(), kOrderUrl));
    for (const auto& [status, member] : {std::pair{"pending", "authorizations"},
                                         {"pending", "finalize"},
                                         {"ready", "finalize"},
                                         {"ready", "status"}}) {
        Json object = order_object(status);
        object.erase(member);
        const auto parsed = acme::parse_order(object.dump(), kOrderUrl);
        REQUIRE_FALSE(parsed);
        CHECK(parsed.error().code == Errc::protocol);
    }
    Json more = order_object("ready");
    more["unknown"] = {{"deep", 1}};
    CHECK(acme::parse_order(more.dump(), kOrderUrl)); // ACME-38
}

TEST_CASE("EXT-04b: replaces goes into newOrder, and is left out when the CA refuses it; once")
{
    auto wanted = request();
    wanted.replaces = "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE";
    const auto payload = [](OrderFlow& flow) {
        const auto action = *flow.next(directory());
        return *base::parse_json(std::get<OrderFlow::Send>(action).post.payload, "payload");
    };
    const auto refusal = [](const std::string& word) -> Result<acme::Reply> {
        Error error;
        error.code = Errc::refused;
        error.reason = word;
        error.problem_type = "urn:ietf:params:acme:error:" + word;
        return fail(error);
    };
    for (const auto* word : {"alreadyReplaced", "malformed", "unauthorized"}) {
        CAPTURE(word);
        OrderFlow flow{wanted, OrderFlow::Goal::placed};
        CHECK(payload(flow)["replaces"] == wanted.replaces);
        REQUIRE(flow.take(refusal(word), kNow));
        CHECK_FALSE(payload(flow).contains("replaces"));
        const auto again = flow.take(refusal(word), kNow);
        REQUIRE_FALSE(again);
        CHECK(again.error().reason.word() == word);
    }
    for (const auto* word : {"rateLimited", "userActionRequired", "accountDoesNotExist"}) {
        CAPTURE(word);
        OrderFlow flow{wanted, OrderFlow::Goal::placed};
        CHECK(payload(flow).contains("replaces"));
        CHECK_FALSE(flow.take(refusal(word), kNow));
    }
    OrderFlow plain{request(), OrderFlow::Goal::placed};
    CHECK_FALSE(payload(plain).contains("replaces"));
}

TEST_CASE("FLD-A10: whatever the CA says against replaces, the certificate is renewed without it")
{
    auto wanted = request();
    wanted.replaces = "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE";
    const auto has_replaces = [](OrderFlow& flow) {
        const auto action = *flow.next(directory());
        return std::get<OrderFlow::Send>(action).post.payload.find("replaces") != std::string::npos;
    };
    const auto failure = [](int status, const std::string& word, bool later = false) -> Result<acme::Reply> {
        http::Response response;
        response.status = status;
        if (!word.empty()) response.body = Json{{"type", "urn:ietf:params:acme:error:" + word}}.dump();
        if (later) response.headers = {{"retry-after", "60"}};
        return fail(acme::error_of(response, kNow));
    };
    for (const auto& [status, word] :
         {std::pair{409, "conflict"}, std::pair{409, ""}, std::pair{400, "rejectedIdentifier"},
          std::pair{500, "serverInternal"}, std::pair{502, ""}, std::pair{403, "somethingNew"}}) {
        CAPTURE(status);
        CAPTURE(word);
        OrderFlow flow{wanted, OrderFlow::Goal::placed};
        CHECK(has_replaces(flow));
        REQUIRE(flow.take(failure(status, word), kNow));
        CHECK_FALSE(has_replaces(flow));
        REQUIRE(flow.take(reply(order_object("ready"), 201), kNow));
        CHECK(next_step(flow) == "finished");
    }
    // Not if the CA asks for patience, or nothing is known about the first request.
    Error broken;
    broken.code = Errc::unavailable;
    broken.reason = Cause::reset;
    for (const auto& answer : {failure(429, "rateLimited"), failure(503, "serverInternal", true),
                               Result<acme::Reply>{fail(broken)}}) {
        OrderFlow flow{wanted, OrderFlow::Goal::placed};
        CHECK(has_replaces(flow));
        CHECK_FALSE(flow.take(answer, kNow));
    }
}
