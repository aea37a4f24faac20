#include <doctest/doctest.h>

#include <optional>

#include "base/base64url.h"
#include "crypto/cms.h"
#include "crypto/openssl.h"
#include "est/cmc_error.h"
#include "est/codec.h"
#include "est/server.h"
#include "http/authentication.h"

using namespace acmetool;
using namespace std::chrono_literals;

namespace
{

crypto::Certificate self_signed(const crypto::Key& key, const std::string& name)
{
    crypto::X509Ptr x509{X509_new()};
    X509_set_version(x509.get(), 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x509.get()), 77);
    X509_gmtime_adj(X509_getm_notBefore(x509.get()), 0);
    X509_gmtime_adj(X509_getm_notAfter(x509.get()), 3600);
    X509_set_pubkey(x509.get(), key.get());
    auto* subject = X509_get_subject_name(x509.get());
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
    X509_set_issuer_name(x509.get(), subject);
    X509_sign(x509.get(), key.get(), EVP_sha256());
    return crypto::Certificate::adopt(x509.release());
}

/// Decides as it is told, and remembers what it was asked.
class Double final : public enrol::RegistrationAuthority
{
public:
    void enrol(enrol::EnrolRequest request, std::function<void(enrol::Decision)> done) override
    {
        asked = std::move(request);
        ++enrolments;
        if (spends) asked->peer.digest->spend();
        done(decision);
    }
    void csr_attributes(enrol::Peer peer, const std::string& label,
                        std::function<void(enrol::AttributesDecision)> done) override
    {
        attributes_peer = std::move(peer);
        attributes_label = label;
        done(attributes);
    }
    std::optional<std::vector<crypto::Certificate>> ca_certificates(const std::string& label) override
    {
        if (label == "nowhere") return std::nullopt;
        return cas;
    }

    enrol::Decision decision = enrol::Pending{7s};
    enrol::AttributesDecision attributes = enrol::CsrAttributes{};
    std::vector<crypto::Certificate> cas;
    std::optional<enrol::EnrolRequest> asked;
    std::optional<enrol::Peer> attributes_peer;
    std::string attributes_label;
    unsigned enrolments = 0;
    bool spends = false; ///< takes every Digest response for a right one
};

struct Setting {
    crypto::Key key = *crypto::generate_key("ec:P-256");
    crypto::Certificate device = self_signed(key, "device");
    crypto::Csr csr = *crypto::build_csr(key, {{{"dns", "a.example.com"}}, "", {}});
    Double authority;
    std::vector<est::RequestEvent> events;

    http::ServerResponse ask(http::ServerRequest request, est::ServerOptions options = {})
    {
        est::Server server{authority, std::move(options),
                           [this](const est::RequestEvent& event) { events.push_back(event); }};
        std::optional<http::ServerResponse> answer;
        server.handle(request, [&](http::ServerResponse response) {
            REQUIRE_FALSE(answer);
            answer = std::move(response);
        });
        REQUIRE(answer);
        return *answer;
    }
    http::ServerRequest request(std::string method, const std::string& operation, std::string body = {}) const
    {
        auto facts = std::make_shared<http::TlsFacts>();
        facts->certificates = {device};
        facts->version = "TLSv1.3";
        facts->channel_binding = crypto::ChannelBinding{"tls-exporter", Bytes(32, 7)};
        http::ServerRequest made;
        made.method = std::move(method);
        made.target = "/.well-known/est/" + operation;
        made.headers = {{"user-agent", "test"}};
        if (!body.empty()) made.headers.emplace_back("content-type", "application/pkcs10");
        made.body = std::move(body);
        made.peer = "127.0.0.1";
        made.tls = facts;
        return made;
    }
    http::ServerRequest enrolment(std::size_t wrap = 64) const
    {
        return request("POST", "simpleenroll", est::to_body(csr.der, wrap));
    }
};

std::string header(const http::ServerResponse& response, std::string_view name)
{
    return std::string{http::find(response.headers, name).value_or("")};
}

} // namespace

TEST_CASE("ESTS-10a, FLD-E3: cacerts is certs-only base64 of the plain type, wrapped as the client "
          "needs it")
{
    Setting setting;
    setting.authority.cas = {setting.device};
    const auto wrapped = setting.ask(setting.request("GET", "cacerts"));
    CHECK(wrapped.status == 200);
    CHECK(header(wrapped, "content-type") == "application/pkcs7-mime"); // RFC 7030 section 4.1.3
    CHECK(header(wrapped, "content-transfer-encoding") == "base64");
    CHECK(wrapped.body.find('\n') == 64);
    CHECK(wrapped.body.ends_with('\n'));
    const auto certificates = crypto::parse_certs_only(est::parse_body(wrapped.body)->der);
    REQUIRE(certificates);
    REQUIRE(certificates->size() == 1);
    CHECK(certificates->front().der() == setting.device.der());

    auto bare = setting.request("GET", "cacerts");
    bare.headers.clear(); // strongSwan's GET
    const auto line = setting.ask(bare);
    CHECK(line.body.find('\n') == line.body.size() - 1);
    CHECK(est::parse_body(line.body)->der == est::parse_body(wrapped.body)->der);
    CHECK(setting.ask(bare, {.wrap = 64}).body == wrapped.body);
    CHECK(setting.ask(setting.request("GET", "cacerts"), {.wrap = 0}).body == line.body);
}

TEST_CASE("ESTS-10b, INT-23: cacerts follows the registration authority's certificates")
{
    Setting setting;
    setting.authority.cas = {setting.device};
    est::Server server{setting.authority, {}, {}};
    const auto get = [&] {
        std::string body;
        server.handle(setting.request("GET", "cacerts"),
                      [&](http::ServerResponse response) { body = std::move(response.body); });
        return body;
    };
    const auto before = get();
    CHECK(get() == before);
    setting.authority.cas = {setting.device, self_signed(setting.key, "another")};
    CHECK(get() != before);
    CHECK(crypto::parse_certs_only(est::parse_body(get())->der)->size() == 2);
}

TEST_CASE("ESTC-24b, ESTS-01a, ESTS-01b: what is not there is 404, a wrong method 405")
{
    Setting setting;
    setting.authority.cas = {setting.device};
    for (const auto* path : {"", "nothing", "serverkeygen", "fullcmc", "cacerts/", "/cacerts", "a/b/cacerts",
                             "a%2fb/cacerts", "nowhere/cacerts"})
        CHECK_MESSAGE(setting.ask(setting.request("GET", path)).status == 404, path);
    auto outside = setting.request("GET", "cacerts");
    outside.target = "/cacerts";
    CHECK(setting.ask(outside).status == 404);
    CHECK(setting.ask(setting.request("GET", "iot/cacerts")).status == 200);
    CHECK(setting.ask(setting.request("GET", "cacerts?x=y")).status == 200);
    const auto post = setting.ask(setting.request("POST", "cacerts"));
    CHECK(post.status == 405);
    CHECK(header(post, "allow") == "GET, HEAD");
    const auto get = setting.ask(setting.request("GET", "simpleenroll"));
    CHECK(get.status == 405);
    CHECK(header(get, "allow") == "POST");
}

TEST_CASE("ESTS-13a, ESTS-13b, FLD-E3: a certificate is a 200 with that certificate alone, and an event")
{
    Setting setting;
    setting.authority.decision = enrol::Issued{setting.device};
    auto request = setting.enrolment();
    request.target = "/.well-known/est/iot/simplereenroll";
    const auto answer = setting.ask(request);
    CHECK(answer.status == 200);
    CHECK(header(answer, "content-type") == "application/pkcs7-mime; smime-type=certs-only");
    CHECK(header(answer, "content-transfer-encoding") == "base64");
    const auto certificates = crypto::parse_certs_only(est::parse_body(answer.body)->der);
    REQUIRE(certificates);
    CHECK(certificates->size() == 1);
    REQUIRE(setting.authority.asked);
    CHECK(setting.authority.asked->label == "iot");
    CHECK(setting.authority.asked->renewal);
    CHECK(setting.authority.asked->csr.der == setting.csr.der);
    CHECK(setting.authority.asked->peer.certificates.size() == 1);
    REQUIRE(setting.events.size() == 1);
    CHECK(setting.events[0].decision == "issued");
    CHECK(setting.events[0].request_id == setting.authority.asked->request_id);
    CHECK(setting.events[0].csr_sha256.size() == 64);
    CHECK(setting.events[0].identifiers == std::vector<std::string>{"a.example.com"});
    CHECK(setting.events[0].serial == "4d");
}

TEST_CASE("ESTS-14, INT-11a, FLD-E2: pending is 202 with Retry-After in seconds and nothing else")
{
    Setting setting;
    const auto answer = setting.ask(setting.enrolment());
    CHECK(answer.status == 202);
    CHECK(header(answer, "retry-after") == "7");
    CHECK(header(answer, "content-type").empty());
    CHECK(answer.body.empty());
}

TEST_CASE("ESTS-18a, ESTS-18b, ESTS-18c: bodies wrapped, CRLF, in one line, PEM and DER; strict_body takes "
          "base64 alone")
{
    Setting setting;
    setting.authority.decision = enrol::Issued{setting.device};
    auto crlf = est::to_body(setting.csr.der);
    for (auto at = crlf.find('\n'); at != std::string::npos; at = crlf.find('\n', at + 2))
        crlf.replace(at, 1, "\r\n");
    const auto one_line = est::to_body(setting.csr.der, 0);
    const std::string der{as_text(setting.csr.der)};
    for (const auto& body : {est::to_body(setting.csr.der), crlf, one_line, setting.csr.to_pem(), der})
        CHECK(setting.ask(setting.request("POST", "simpleenroll", body)).status == 200);
    const auto answered = setting.ask(setting.request("POST", "simpleenroll", one_line));
    CHECK(answered.body.find('\n') == answered.body.size() - 1);
    for (const auto& body : {setting.csr.to_pem(), der})
        CHECK(setting.ask(setting.request("POST", "simpleenroll", body), {.strict_body = true}).status ==
              400);
    CHECK(setting.ask(setting.enrolment(), {.strict_body = true}).status == 200);
    for (const auto* encoding : {"base64", "binary", "quoted-printable", "8bit", "?"})
        for (const auto& body : {est::to_body(setting.csr.der), der}) {
            auto request = setting.request("POST", "simpleenroll", body);
            request.headers.emplace_back("content-transfer-encoding", encoding);
            CHECK(setting.ask(request).status == 200);
        }
}

TEST_CASE("ESTS-06b, ESTS-21a: wrong types, junk and broken signatures never reach the authority")
{
    Setting setting;
    auto typed = setting.enrolment();
    typed.headers.back().second = "Application/PKCS10; charset=us-ascii";
    CHECK(setting.ask(typed).status == 202);
    setting.authority.enrolments = 0;
    typed.headers.back().second = "application/json";
    CHECK(setting.ask(typed).status == 415);
    typed.headers.pop_back();
    CHECK(setting.ask(typed).status == 415);
    auto forged = setting.csr.der;
    forged[forged.size() - 1] ^= 1U;
    for (const auto& body : {std::string{"junk!"}, std::string{" "}, est::to_body(forged),
                             est::to_body(setting.device.der()), std::string{"MAAA"}})
        CHECK(setting.ask(setting.request("POST", "simpleenroll", body)).status == 400);
    CHECK(setting.authority.enrolments == 0);
}

TEST_CASE("ESTS-07a, INT-25: challengePassword is compared with the connection's channel binding")
{
    Setting setting;
    const auto binding_of = [&](std::optional<std::string> password) {
        setting.csr = *crypto::build_csr(setting.key, {{{"dns", "a.example.com"}}, "", std::move(password)});
        static_cast<void>(setting.ask(setting.enrolment()));
        return setting.authority.asked->binding;
    };
    CHECK(binding_of(std::nullopt) == enrol::Binding::absent);
    CHECK(binding_of(base::to_base64(Bytes(32, 7))) == enrol::Binding::matches);
    CHECK(binding_of(base::to_base64(Bytes(32, 8))) == enrol::Binding::differs);
    auto without = setting.enrolment();
    without.tls = std::make_shared<http::TlsFacts>(http::TlsFacts{{setting.device}, "TLSv1.2", {}});
    static_cast<void>(setting.ask(without));
    CHECK(setting.authority.asked->binding == enrol::Binding::differs);
}

TEST_CASE("ESTS-05a, ESTS-05c: Basic is parsed; who shows nothing is refused before a parser runs")
{
    Setting setting;
    auto request = setting.enrolment();
    request.tls = std::make_shared<http::TlsFacts>();
    CHECK(setting.ask(request).status == 403);
    const auto challenged = setting.ask(request, {.logins = {.basic = true}});
    CHECK(challenged.status == 401);
    CHECK(header(challenged, "www-authenticate") == "Basic realm=\"est\"");
    for (const auto* junk : {"Basic", "Basic ====", "Basic bm9jb2xvbg==", "Basic OnBhc3M=", "Bearer x"}) {
        auto wrong = request;
        wrong.headers.emplace_back("authorization", junk);
        CHECK_MESSAGE(setting.ask(wrong, {.logins = {.basic = true}}).status == 401, junk);
    }
    CHECK(setting.authority.enrolments == 0);
    request.headers.emplace_back("authorization", "basic dXNlcjpwYTpzcw==");
    CHECK(setting.ask(request, {.logins = {.basic = true}}).status == 202);
    CHECK(setting.authority.asked->peer.user == "user");
    CHECK(setting.authority.asked->peer.password.reveal() == "pa:ss");
}

TEST_CASE("ESTS-28, FLD-E15: Digest is asked for, read, and a response that was used before is stale")
{
    Setting setting;
    auto request = setting.enrolment();
    request.tls = std::make_shared<http::TlsFacts>();
    est::ServerOptions options{.logins = {.basic = true, .digest = http::DigestOptions{"est", true, 60s}}};
    est::Server server{setting.authority, options, {}};
    const auto ask = [&](const http::ServerRequest& sent) {
        std::optional<http::ServerResponse> answer;
        server.handle(sent, [&](http::ServerResponse response) { answer = std::move(response); });
        REQUIRE(answer);
        return *answer;
    };
    const auto challenged = ask(request);
    CHECK(challenged.status == 401);
    std::vector<std::string> schemes;
    http::Headers challenges;
    for (const auto& [name, value] : challenged.headers)
        if (name == "WWW-Authenticate") {
            schemes.push_back(value.substr(0, value.find(", nonce")));
            challenges.emplace_back("www-authenticate", value);
        }
    CHECK(schemes == std::vector<std::string>{R"(Digest realm="est", qop="auth", algorithm=SHA-256)",
                                              R"(Digest realm="est", qop="auth", algorithm=MD5)",
                                              R"(Basic realm="est")"});
    const http::Credentials joe{"joe", base::Secret{"secret"}, http::AuthScheme::any};
    const auto challenge = *http::choose_challenge(challenges, http::AuthScheme::any);
    auto sent = request;
    sent.headers.emplace_back("authorization",
                              *http::answer(challenge, joe, {"POST", request.target, "c", 1}));
    CHECK(ask(sent).status == 202);
    REQUIRE(setting.authority.asked->peer.digest);
    CHECK(setting.authority.asked->peer.user == "joe");
    CHECK(setting.authority.asked->peer.password.reveal().empty());

    // The authority says when it is right.
    CHECK(setting.authority.asked->peer.digest->spend());
    CHECK(ask(sent).status == 202);
    setting.authority.decision = enrol::Refused{enrol::Refusal::unauthenticated, "used before", {}};
    CHECK(header(ask(sent), "www-authenticate").find("stale") == std::string::npos);
    setting.authority.spends = true;
    CHECK(header(ask(sent), "www-authenticate").ends_with("stale=true"));
    setting.authority.enrolments = 0;

    // Nonces of other servers and responses to other requests do not reach it.
    est::Server other{setting.authority, options, {}};
    other.handle(sent, [&](const http::ServerResponse& response) {
        CHECK(response.status == 401);
        CHECK(header(response, "www-authenticate").ends_with("stale=true"));
    });
    auto moved = sent;
    moved.target += "?x";
    CHECK(ask(moved).status == 401);
    CHECK(header(ask(moved), "www-authenticate").find("stale") == std::string::npos);
    server.configure(options);
    CHECK(ask(sent).status == 401);
    CHECK(setting.authority.enrolments == 1); // a reload without a change of this keeps the nonces
    options.logins.digest.reset();
    server.configure(options);
    CHECK(ask(sent).status == 401);
    CHECK(header(ask(sent), "www-authenticate") == "Basic realm=\"est\"");
    CHECK(setting.authority.enrolments == 1);
}

TEST_CASE("SEC-16: without a user file a password is refused before a parser runs, and 401 says so")
{
    Setting setting;
    auto request = setting.enrolment();
    request.tls = nullptr;
    request.body = "junk";
    request.headers.emplace_back("authorization", "basic dXNlcjpwYTpzcw==");
    const auto refused = setting.ask(request);
    CHECK(refused.status == 401);
    CHECK(header(refused, "www-authenticate") == "Basic realm=\"est\"");
    CHECK(setting.authority.enrolments == 0);
}

TEST_CASE(
    "INT-19a, ESTS-16a, FLD-E2: each refusal has its status; text is a plain sentence, and 401 has none")
{
    using enrol::Refusal;
    Setting setting;
    const std::vector<std::pair<Refusal, int>> kExpected{{Refusal::unauthenticated, 401},
                                                         {Refusal::forbidden, 403},
                                                         {Refusal::bad_request, 400},
                                                         {Refusal::bad_identity, 403},
                                                         {Refusal::pop_failed, 400},
                                                         {Refusal::not_found, 404},
                                                         {Refusal::too_many, 429},
                                                         {Refusal::unavailable, 503},
                                                         {Refusal::internal, 502},
                                                         {Refusal::unsupported_algorithm, 400},
                                                         {Refusal::unsupported_extension, 400}};
    for (const auto& [why, status] : kExpected) {
        setting.authority.decision = enrol::Refused{why, "no \x1b[31msuch\r thing", {}};
        const auto answer = setting.ask(setting.enrolment(), {.logins = {.basic = true}});
        CHECK(answer.status == status);
        CHECK(header(answer, "content-type") == (status == 401 ? "" : "text/plain"));
        CHECK(answer.body == (status == 401 ? "" : "no ?[31msuch? thing\n"));
        CHECK(header(answer, "retry-after").empty() == (status != 429 && status != 503));
    }
}

TEST_CASE("INT-19b: what is for later is 503 with the CA's Retry-After, or one of its own")
{
    Setting setting;
    const auto told = [&setting](std::optional<std::chrono::seconds> after) {
        setting.authority.decision = enrol::Refused{enrol::Refusal::unavailable, "later", after};
        const auto answer = setting.ask(setting.enrolment());
        CHECK(answer.status == 503);
        return std::stoi(std::string{header(answer, "retry-after")});
    };
    CHECK(told(120s) == 120);
    const auto own = told(std::nullopt); // a minute, or a fifth more or less
    CHECK(own >= 48);
    CHECK(own <= 72);
}

TEST_CASE("ESTS-16b: a refusal that is not signed is plain text")
{
    Setting setting;
    setting.authority.decision = enrol::Refused{enrol::Refusal::bad_request, "no such name", {}};
    const auto answer = setting.ask(setting.enrolment());
    CHECK(header(answer, "content-type") == "text/plain");
    CHECK(header(answer, "content-transfer-encoding").empty());
    CHECK(answer.body == "no such name\n");
}

TEST_CASE("INT-02, INT-18a, SEC-10: CMC errors are signed for authenticated clients alone")
{
    using enrol::Refusal;
    Setting setting;
    const est::ServerOptions signing{.logins = {.basic = true},
                                     .signer = est::ErrorSigner{setting.key, setting.device, {}}};
    const std::vector<std::pair<Refusal, est::CmcFailInfo>> kSigned{
        {Refusal::bad_request, est::CmcFailInfo::badRequest},
        {Refusal::bad_identity, est::CmcFailInfo::badIdentity},
        {Refusal::pop_failed, est::CmcFailInfo::popFailed},
        {Refusal::internal, est::CmcFailInfo::internalCAError},
        {Refusal::unsupported_algorithm, est::CmcFailInfo::badRequest},
        {Refusal::unsupported_extension, est::CmcFailInfo::badRequest}};
    for (const auto& [why, info] : kSigned) {
        setting.authority.decision = enrol::Refused{why, "not this name", {}, true};
        const auto answer = setting.ask(setting.enrolment(), signing);
        CHECK(header(answer, "content-type") == "application/pkcs7-mime; smime-type=CMC-response");
        const auto body = est::parse_body(answer.body);
        REQUIRE(body);
        const auto error = est::parse_cmc_error(body->der);
        REQUIRE(error);
        CHECK(error->fail_info == info);
        CHECK(error->text == "not this name");
        CHECK(error->verified);
        // The same refusal of somebody whom the authority does not know.
        setting.authority.decision = enrol::Refused{why, "not this name", {}, false};
        CHECK(header(setting.ask(setting.enrolment(), signing), "content-type") == "text/plain");
    }
    for (const auto why : {Refusal::unauthenticated, Refusal::forbidden, Refusal::not_found}) {
        setting.authority.decision = enrol::Refused{why, "no", {}, true};
        CHECK(header(setting.ask(setting.enrolment(), signing), "content-type") ==
              (why == Refusal::unauthenticated ? "" : "text/plain"));
    }
    CHECK(header(setting.ask(setting.request("POST", "simpleenroll", "junk"), signing), "content-type") ==
          "text/plain");
}

TEST_CASE("ESTS-02b, ESTS-11, ESTS-23a: csrattrs is 200 with its own type, 204 where nothing is asked")
{
    Setting setting;
    auto request = setting.request("GET", "iot/csrattrs");
    CHECK(setting.ask(request).status == 204);
    setting.authority.attributes = enrol::CsrAttributes{{{"dns", "a.example.com"}}, "ec:P-256", true, {}};
    const auto answer = setting.ask(request);
    CHECK(answer.status == 200);
    CHECK(header(answer, "content-type") == "application/csrattrs");
    CHECK(est::parse_body(answer.body));
    CHECK(setting.authority.attributes_label == "iot");
    CHECK(setting.authority.attributes_peer->certificates.size() == 1);
    request.tls = std::make_shared<http::TlsFacts>();
    CHECK(setting.ask(request).status == 200);
    CHECK(setting.authority.attributes_peer->certificates.empty());
    setting.authority.attributes = enrol::Refused{enrol::Refusal::not_found, "no such label", {}};
    CHECK(setting.ask(request).status == 404);
}

TEST_CASE("FLD-E4: where Basic is available, csrattrs asks a client for it whose identity did not hold")
{
    Setting setting;
    const auto request = setting.request("GET", "csrattrs");
    enrol::CsrAttributes attributes{{{"dns", "a.example.com"}}, "ec:P-256", true, {}};
    attributes.why_not = "who are you";
    setting.authority.attributes = attributes;
    const auto asked = setting.ask(request, {.logins = {.basic = true}});
    CHECK(asked.status == 401);
    CHECK(header(asked, "www-authenticate") == "Basic realm=\"est\"");
    CHECK(setting.events.back().text == "who are you");
    attributes.authenticated = true;
    setting.authority.attributes = attributes;
    CHECK(setting.ask(request, {.logins = {.basic = true}}).status == 200);
}
