#include <doctest/doctest.h>

#include <algorithm>
#include <deque>

#include "crypto/certificate_builder.h"
#include "crypto/cms.h"
#include "crypto/csr_remake.h"
#include "est/client.h"
#include "est/codec.h"

using namespace acmetool;

namespace
{

/// A peer that answers from a list; each entry may end the connection.
struct Scripted final : http::Transport {
    struct Reply {
        int status = 200;
        http::Headers headers;
        std::string body;
        bool ends_connection = false;
        bool lost = false; ///< the connection breaks instead of an answer
    };
    std::deque<Reply> replies;
    std::vector<http::Request> requests;
    http::Connection connection;
    bool open = false;

    Result<http::Connection> connect(std::string_view) override
    {
        if (!open) {
            ++connection.id;
            connection.requests = 0;
            connection.binding =
                crypto::ChannelBinding{"tls-exporter", Bytes(32, static_cast<std::uint8_t>(connection.id))};
            open = true;
        }
        return connection;
    }
    Result<http::Response> send(const http::Request& request) override
    {
        requests.push_back(request);
        ++connection.requests;
        const auto reply = replies.front();
        if (replies.size() > 1) replies.pop_front();
        if (reply.ends_connection || reply.lost) open = false;
        if (reply.lost) return fail(Errc::unavailable, "lost", {}, "reset");
        return http::Response{reply.status, reply.headers, reply.body, {}};
    }
};

/// Time that passes only while somebody sleeps.
struct Clock final : base::Context {
    std::vector<base::Milliseconds> slept;
    std::vector<std::string> said;
    std::chrono::steady_clock::time_point steady{};
    base::TimePoint now() const override { return *base::parse_rfc3339("2026-11-23T18:58:45Z"); }
    std::chrono::steady_clock::time_point steady_now() const override { return steady; }
    Result<void> sleep(base::Milliseconds duration, const base::Wait&) override
    {
        slept.push_back(duration);
        steady += duration;
        return {};
    }
    void log(base::Level, std::string_view text) override { said.emplace_back(text); }
};

std::string certs_only(const crypto::Key& key)
{
    const auto from = *base::parse_rfc3339("2026-11-23T18:58:45Z");
    const auto certificate = crypto::build_certificate({.common_name = "",
                                                        .serial_number = "",
                                                        .extensions = {{"subjectAltName", "DNS:a.example"}},
                                                        .not_before = from,
                                                        .not_after = from + std::chrono::hours{1}},
                                                       key, nullptr, key);
    return est::to_body(*crypto::to_certs_only({*certificate}));
}

struct Scene {
    Scripted peer;
    Clock clock;
    crypto::Key key = *crypto::generate_key("ec:P-256");
    est::ClientOptions options;
    est::EnrolTask task;

    Scene()
    {
        options.server = {"https://ra.example", ""};
        task.csr = *crypto::build_csr(key, {.identifiers = {{"dns", "a.example"}}});
    }
    void bind()
    {
        task.bind = [this](const std::string& binding) { return crypto::remake_csr(task.csr, key, binding); };
    }
    Result<est::Enrolment> enrol()
    {
        return est::Client{{.server = options.server,
                            .credentials = {options.credentials.user, base::Secret{"pw"}, {}},
                            .allow_redirect = options.allow_redirect,
                            .default_wait = options.default_wait,
                            .total_deadline = options.total_deadline,
                            .wait = options.wait},
                           peer,
                           clock}
            .enrol(task);
    }
};

std::string challenge_password(const http::Request& request)
{
    const auto body = *est::parse_body(request.body);
    return crypto::parse_csr(as_text(body.der))->challenge_password.value_or("");
}

} // namespace

TEST_CASE(
    "ESTC-17a, ESTC-17b, ESTC-19a: waits as long as the server says, in seconds or by date, else the default")
{
    Scene scene;
    scene.peer.replies = {{202, {{"retry-after", "7"}}},
                          {202, {{"retry-after", "Mon, 23 Nov 2026 19:00:00 GMT"}}},
                          {202, {}},
                          {202, {{"retry-after", "172800"}}},
                          {200, {}, certs_only(scene.key)}};
    REQUIRE(scene.enrol());
    using std::chrono::seconds;
    CHECK(scene.clock.slept ==
          std::vector<base::Milliseconds>{seconds{7}, seconds{75}, seconds{30}, seconds{172800}});
    // Each wait is told.
    const auto& said = scene.clock.said;
    for (const auto wait : {seconds{7}, seconds{75}, seconds{30}, seconds{172800}}) {
        CAPTURE(wait.count());
        CHECK(std::any_of(said.begin(), said.end(), [&](const std::string& line) {
            return line.find("simpleenroll: the server answered 202") == 0 &&
                   line.ends_with(" " + base::describe(wait));
        }));
    }
    for (const auto& request : scene.peer.requests)
        CHECK(request.body == scene.peer.requests.front().body);
}

TEST_CASE("ESTC-17c, ESTC-23a: the deadline and one-shot mode end an enrolment as pending")
{
    Scene scene;
    scene.options.total_deadline = std::chrono::seconds{10};
    scene.peer.replies = {{202, {{"retry-after", "6"}}}};
    const auto late = scene.enrol();
    REQUIRE(late);
    CHECK(late->pending);
    CHECK(scene.clock.slept.size() == 1);
    scene.options.wait = false;
    CHECK(scene.enrol()->retry_after == std::chrono::seconds{6});
    CHECK(scene.clock.slept.size() == 1);
}

TEST_CASE("ESTC-18a: a bound CSR belongs to its connection, also when that breaks in the middle")
{
    Scene scene;
    scene.bind();
    scene.peer.replies = {{202, {{"retry-after", "1"}}},
                          {202, {{"retry-after", "1"}}, "", true},
                          {202, {{"retry-after", "1"}}},
                          {0, {}, "", false, true},
                          {200, {}, certs_only(scene.key)}};
    REQUIRE(scene.enrol());
    const auto& sent = scene.peer.requests;
    REQUIRE(sent.size() == 5);
    CHECK(sent[0].body == sent[1].body);
    CHECK(challenge_password(sent[1]) != challenge_password(sent[2]));
    CHECK(sent[2].body == sent[3].body);
    CHECK(challenge_password(sent[3]) != challenge_password(sent[4]));
}

TEST_CASE("ESTC-14b: the same credentials are not tried twice; a stale nonce is answered once more")
{
    Scene scene;
    scene.options.credentials.user = "joe";
    const http::Headers first{{"www-authenticate", R"(Digest realm="r", nonce="1", qop="auth")"}};
    const http::Headers stale{{"www-authenticate", R"(Digest realm="r", nonce="2", qop="auth", stale=true)"}};
    scene.peer.replies = {{401, first}};
    CHECK(scene.enrol().error().reason.word() == "unauthenticated");
    CHECK(scene.peer.requests.size() == 2);
    scene.peer.replies = {{401, first}, {401, stale}, {401, stale}};
    scene.peer.requests.clear();
    CHECK_FALSE(scene.enrol());
    CHECK(scene.peer.requests.size() == 3);
    scene.peer.replies = {{401, {{"www-authenticate", "Basic realm=x"}}}};
    scene.peer.requests.clear();
    CHECK_FALSE(scene.enrol());
    CHECK(scene.peer.requests.size() == 1);
}

TEST_CASE("FLD-E4: Basic is sent unasked, but not with cacerts, by Digest alone or to another origin")
{
    const auto logins = [](std::string user, http::AuthScheme scheme, bool consent) {
        Scripted peer;
        Clock clock;
        peer.replies = {{200, {}, certs_only(*crypto::generate_key("ec:P-256"))},
                        {307, {{"location", "https://other.example/.well-known/est/csrattrs"}}},
                        {204, {}, ""}};
        est::Client client{{.server = {"https://ra.example", ""},
                            .credentials = {std::move(user), base::Secret{"pw"}, scheme},
                            .allow_redirect = consent},
                           peer,
                           clock};
        REQUIRE(client.cacerts());
        REQUIRE(client.csrattrs());
        std::string found;
        for (const auto& request : peer.requests)
            found += http::find(request.headers, "authorization") ? 'y' : 'n';
        return found;
    };
    CHECK(logins("joe", http::AuthScheme::any, false) == "nyn");
    CHECK(logins("joe", http::AuthScheme::basic, true) == "nyy");
    CHECK(logins("joe", http::AuthScheme::digest, true) == "nnn");
    CHECK(logins("with:colon", http::AuthScheme::any, true) == "nnn");
    CHECK(logins("", http::AuthScheme::any, true) == "nnn");
}

TEST_CASE("ESTC-22b, ESTC-14c: another origin gets no POST and no password without consent")
{
    Scene scene;
    scene.options.credentials.user = "joe";
    scene.peer.replies = {{307, {{"location", "https://other.example/.well-known/est/simpleenroll"}}},
                          {401, {{"www-authenticate", "Basic realm=x"}}},
                          {200, {}, certs_only(scene.key)}};
    CHECK(scene.enrol().error().reason.word() == "redirectRefused");
    CHECK(scene.peer.requests.size() == 1);
    scene.options.allow_redirect = true;
    scene.peer.replies = {{307, {{"location", "https://other.example/.well-known/est/simpleenroll"}}},
                          {401, {{"www-authenticate", R"(Digest realm="r", nonce="1", qop="auth")"}}},
                          {200, {}, certs_only(scene.key)}};
    CHECK(scene.enrol());
    scene.peer.replies = {{307, {{"location", "/again"}}}};
    CHECK(scene.enrol().error().code == Errc::protocol);
    CHECK(scene.peer.requests.size() < 20);
}

TEST_CASE("ESTC-26a, ESTC-20a: a certificate of another key is the server's fault")
{
    Scene scene;
    scene.peer.replies = {{200, {}, certs_only(*crypto::generate_key("ec:P-256"))}};
    CHECK(scene.enrol().error().reason.word() == "otherKey");
}

TEST_CASE("ESTC-13a: a request like a certificate has its Subject and SAN")
{
    const auto key = *crypto::generate_key("ec:P-256");
    const auto certificate = crypto::parse_certs_only(est::parse_body(certs_only(key))->der)->front();
    const auto csr = *crypto::csr_like(certificate, key);
    CHECK(crypto::asks_for_same_names(csr, certificate));
    const auto other = *crypto::build_csr(key, {.identifiers = {{"dns", "b.example"}}});
    CHECK_FALSE(crypto::asks_for_same_names(other, certificate));
    CHECK_FALSE(crypto::remake_csr(csr, *crypto::generate_key("ec:P-256"), "x"));
}
