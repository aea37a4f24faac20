#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "acme/problem.h"
#include "acme/session.h"
#include "base/json.h"
#include "jose/jws.h"

using namespace acmetool;
using acme::Exchange;

namespace
{

const auto kSessionNow = *base::parse_rfc3339("2026-11-23T18:58:45Z");

acme::Session session()
{
    acme::Session session;
    session.directory.url = "https://ca.example/directory";
    session.directory.new_nonce = "https://ca.example/newNonce";
    session.directory.new_order = "https://ca.example/newOrder";
    session.directory.new_account = "https://ca.example/newAccount";
    session.key = *crypto::generate_key("ec:P-256");
    session.account_url = "https://ca.example/account/1";
    return session;
}

http::Response response(int status, const std::string& nonce, const std::string& body = "{}")
{
    http::Response answer;
    answer.status = status;
    if (!nonce.empty()) answer.headers = {{"replay-nonce", nonce}};
    answer.body = body;
    return answer;
}

std::string problem(const std::string& word)
{
    return R"({"type":"urn:ietf:params:acme:error:)" + word + R"(","detail":"no"})";
}

base::Json header_of(const http::Request& request)
{
    return *jose::parse_jws(request.body)->header;
}

http::Request sent(Exchange& exchange)
{
    return std::get<Exchange::Send>(*exchange.next()).request;
}

} // namespace

TEST_CASE("ACME-10a, ACME-11a, FAULT-01: badNonce: signed again with the nonce of the error")
{
    auto with = session();
    Exchange exchange{with, {acme::Step::new_order, "a.example", "https://ca.example/newOrder", "{}"}};
    CHECK(sent(exchange).method == http::Method::head);
    exchange.take(response(200, "first"), kSessionNow);
    CHECK(header_of(sent(exchange))["nonce"] == "first");
    exchange.take(response(400, "second", problem("badNonce")), kSessionNow);
    CHECK(header_of(sent(exchange))["nonce"] == "second");
    exchange.take(response(201, "third"), kSessionNow);
    REQUIRE(exchange.result());
    CHECK(*exchange.result());
    CHECK(with.nonces == std::vector<std::string>{"third"});
}

TEST_CASE("ACME-11b: badNonce for ever comes to an end")
{
    auto with = session();
    with.nonces = {"n"};
    Exchange exchange{with, {acme::Step::new_order, "", "https://ca.example/newOrder", "{}"}};
    int rounds = 0;
    for (; !exchange.result() && rounds < 1000; ++rounds) {
        sent(exchange);
        exchange.take(response(400, "next", problem("badNonce")), kSessionNow);
    }
    CHECK(rounds == 51);
    CHECK(exchange.result()->error().reason.word() == "badNonce");
}

TEST_CASE("ACME-10d: nonces with other characters are ignored")
{
    auto with = session();
    Exchange exchange{with, {acme::Step::new_order, "", "https://ca.example/newOrder", "{}"}};
    sent(exchange);
    exchange.take(response(200, "not=base64url"), kSessionNow);
    REQUIRE(exchange.result());
    CHECK(exchange.result()->error().reason.word() == "noNonce");
}

TEST_CASE("ACME-06a, ACME-06b, ACME-08: kid or jwk, and the URL as it was given")
{
    auto with = session();
    with.nonces = {"b", "a"};
    Exchange by_kid{with, {acme::Step::order, "", "https://ca.example/order/%7e1?x=%2F", ""}};
    const auto first = sent(by_kid);
    CHECK(first.url == "https://ca.example/order/%7e1?x=%2F");
    CHECK(header_of(first)["url"] == first.url);
    CHECK(header_of(first)["nonce"] == "a");
    CHECK(header_of(first)["alg"] == "ES256");
    CHECK(header_of(first)["kid"] == with.account_url);
    CHECK_FALSE(header_of(first).contains("jwk"));
    acme::Post post{acme::Step::new_account, "", "https://ca.example/newAccount", "{}"};
    post.by_jwk = true;
    Exchange by_jwk{with, post};
    const auto second = header_of(sent(by_jwk));
    CHECK(second.contains("jwk"));
    CHECK_FALSE(second.contains("kid"));
}

TEST_CASE("SEC-06, FAULT-12: URLs of another origin are never asked")
{
    auto with = session();
    for (const auto* url :
         {"https://evil.example/order/1", "http://ca.example/order/1", "https://ca.example@evil.example/",
          "https://ca.example:444/", "https://ca.example\\@evil.example/", "file:///etc/passwd", ""}) {
        Exchange exchange{with, {acme::Step::order, "", url, ""}};
        REQUIRE(exchange.result());
        CHECK(exchange.result()->error().reason.word() == "foreignUrl");
    }
    Exchange same{with, {acme::Step::order, "", "https://CA.example:443/order/1", ""}};
    CHECK_FALSE(same.result());
}

TEST_CASE("FAULT-10: a broken connection is asked again for reads, never for requests that change something")
{
    const auto broken = [] { return Result<http::Response>{fail(Errc::unavailable, "reset", {}, "reset")}; };
    auto with = session();
    with.nonces = {"c", "b", "a"};
    Exchange read{with, {acme::Step::order, "", "https://ca.example/order/1", ""}};
    sent(read);
    read.take(broken(), kSessionNow);
    CHECK_FALSE(read.result());
    Exchange change{with, {acme::Step::new_order, "", "https://ca.example/newOrder", "{}"}};
    sent(change);
    change.take(broken(), kSessionNow);
    CHECK(change.result());
}

TEST_CASE("ACME-42b, ACME-35a: Link headers in every form that RFC 8288 has")
{
    auto with = session();
    with.nonces = {"a"};
    Exchange exchange{with, {acme::Step::orders, "", "https://ca.example/orders", ""}};
    sent(exchange);
    auto answer = response(200, "b");
    answer.headers.emplace_back("link",
                                "<https://ca.example/1>; rel=next, <https://ca.example/2,<x>;rel=\"index\"");
    answer.headers.emplace_back(
        "link", R"(</3> ; title="a, b; rel=no" ; REL = "Alternate up",<https://ca.example/4>)");
    answer.headers.emplace_back("link", "<broken; rel=next");
    answer.headers.emplace_back("link", "<https://ca.example/5>;rel=\"");
    exchange.take(answer, kSessionNow);
    REQUIRE(exchange.result());
    REQUIRE(*exchange.result());
    using Links = std::vector<std::pair<std::string, std::string>>;
    CHECK((*exchange.result())->links == Links{{"next", "https://ca.example/1"},
                                               {"index", "https://ca.example/2,<x"},
                                               {"alternate", "/3"},
                                               {"up", "/3"},
                                               {"\"", "https://ca.example/5"}});
}

TEST_CASE("ACME-11a, ACME-06b: badNonce for newAccount is answered with a new signature by jwk")
{
    auto with = session();
    with.account_url.clear();
    with.nonces = {"a"};
    acme::Post post{acme::Step::new_account, "", "https://ca.example/newAccount", "{}"};
    post.by_jwk = true;
    Exchange exchange{with, post};
    sent(exchange);
    exchange.take(response(400, "b", problem("badNonce")), kSessionNow);
    const auto again = header_of(sent(exchange));
    CHECK(again["nonce"] == "b");
    CHECK(again.contains("jwk"));
}

TEST_CASE("ACME-41: a 404 on what was just created is asked again three times, any other is final")
{
    auto with = session();
    for (const bool created : {true, false}) {
        acme::Post post{acme::Step::authz, "", "https://ca.example/authz/1", ""};
        post.just_created = created;
        Exchange exchange{with, post};
        int asked = 0;
        base::Milliseconds paused{0};
        while (!exchange.result()) {
            with.nonces = {"n"};
            const auto action = *exchange.next();
            if (const auto* pause = std::get_if<Exchange::Pause>(&action)) {
                paused += pause->duration;
                continue;
            }
            ++asked;
            exchange.take(response(404, "n", problem("malformed")), kSessionNow);
        }
        CHECK(asked == (created ? 4 : 1));
        CHECK(paused <= std::chrono::seconds{5});
    }
}

TEST_CASE("PRE-01b: what the server does not have is told apart by status, not by words")
{
    auto with = session();
    const auto reason_of = [&](int status, const std::string& body) {
        acme::Post post{acme::Step::new_authz, "a.example", "https://ca.example/newAuthz", "{}"};
        post.if_missing = "unsupported";
        Exchange exchange{with, post};
        with.nonces = {"n"};
        sent(exchange);
        exchange.take(response(status, "", body), kSessionNow);
        return exchange.result()->error().reason.word();
    };
    CHECK(reason_of(404, "not here") == "unsupported");
    CHECK(reason_of(405, problem("malformed")) == "unsupported");
    CHECK(reason_of(404, problem("accountDoesNotExist")) == "accountDoesNotExist");
    CHECK(reason_of(403, R"({"type":"urn:ietf:params:acme:error:unauthorized","detail":"HTTP 404"})") ==
          "unauthorized");
    // A nonce that cannot be had says nothing of newAuthz.
    acme::Post post{acme::Step::new_authz, "a.example", "https://ca.example/newAuthz", "{}"};
    post.if_missing = "unsupported";
    with.nonces.clear();
    Exchange exchange{with, post};
    sent(exchange);
    exchange.take(response(404, "", ""), kSessionNow);
    CHECK(exchange.result()->error().reason.empty());
}

TEST_CASE("ACME-13b, ACME-13c, ACME-38c: subproblems with identifiers of every type, and what is no problem")
{
    const auto parsed = acme::parse_problem(
        R"({"type":"urn:ietf:params:acme:error:compound","detail":"two\u001b[31m","subproblems":[
           {"type":"urn:ietf:params:acme:error:caa","detail":"x","identifier":{"type":"dns","value":"a.example"}},
           {"type":"urn:ietf:params:acme:error:rejectedIdentifier","detail":"y","identifier":{"type":"new-99","value":"b"}},
           {"type":"urn:ietf:params:acme:error:dns","detail":"z","identifier":{"type":"new-98","more":{}}}]})");
    REQUIRE(parsed);
    CHECK(acme::describe(*parsed) ==
          "compound: two?[31m; a.example: caa: x; b: rejectedIdentifier: y; (no identifier): dns: z");
    const auto html = acme::error_of(response(502, "", "<html>Bad Gateway</html>"), kSessionNow);
    CHECK(html.code == Errc::unavailable);
    CHECK(html.message.find("Bad Gateway") != std::string::npos);
    const auto empty = acme::error_of(response(403, "", ""), kSessionNow);
    CHECK(empty.code == Errc::refused);
    CHECK(empty.message.find("403") != std::string::npos);
}

TEST_CASE("ACME-14a, ACME-14b: what else a problem brings: algorithms, times and links")
{
    auto algorithms = response(
        400, "", R"({"type":"urn:ietf:params:acme:error:badSignatureAlgorithm","algorithms":["ES384"]})");
    CHECK(acme::error_of(algorithms, kSessionNow).hint.find("ES384") != std::string::npos);
    auto limited = response(429, "", problem("rateLimited"));
    limited.headers.emplace_back("retry-after", "30");
    CHECK(acme::error_of(limited, kSessionNow).code == Errc::rate_limited);
    CHECK(acme::error_of(limited, kSessionNow).retry_after == std::chrono::seconds{30});
    auto terms = response(
        403, "",
        R"({"type":"urn:ietf:params:acme:error:userActionRequired","instance":"https://ca.example/agree"})");
    terms.headers.emplace_back("link", "<https://ca.example/terms>;rel=\"terms-of-service\"");
    const auto hint = acme::error_of(terms, kSessionNow).hint;
    CHECK(hint.find("https://ca.example/agree") != std::string::npos);
    CHECK(hint.find("https://ca.example/terms") != std::string::npos);
}
