#include <doctest/doctest.h>

#include <optional>

#include "base/base64url.h"
#include "crypto/cms.h"
#include "crypto/openssl.h"
#include "est/cmc_error.h"
#include "est/codec.h"
#include "est/server.h"

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

TEST_CASE("ESTS-10, ESTS-18, FLD-E3: cacerts is certs-only base64 of the plain type, wrapped as the client "
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

TEST_CASE("ESTS-10, INT-23: cacerts follows the registration authority's certificates")
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

TEST_CASE("ESTS-01: what is not there is 404, a wrong method 405")
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

TEST_CASE("ESTS-13, ESTS-22, FLD-E3: a certificate is a 200 with that certificate alone, and an event")
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

TEST_CASE("ESTS-14, INT-11, FLD-E2: pending is 202 with Retry-After in seconds and nothing else")
{
    Setting setting;
    const auto answer = setting.ask(setting.enrolment());
    CHECK(answer.status == 202);
    CHECK(header(answer, "retry-after") == "7");
    CHECK(header(answer, "content-type").empty());
    CHECK(answer.body.empty());
}

TEST_CASE("ESTS-18: bodies wrapped, CRLF, in one line, PEM and DER; strict_body takes base64 alone")
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
}

TEST_CASE("ESTS-06, ESTS-21: wrong types, junk and broken signatures never reach the authority")
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

TEST_CASE("ESTS-07, INT-25: challengePassword is compared with the connection's channel binding")
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

TEST_CASE("ESTS-05, ESTS-02: Basic is parsed; who shows nothing is refused before a parser runs")
{
    Setting setting;
    auto request = setting.enrolment();
    request.tls = std::make_shared<http::TlsFacts>();
    CHECK(setting.ask(request).status == 403);
    const auto challenged = setting.ask(request, {.basic = true});
    CHECK(challenged.status == 401);
    CHECK(header(challenged, "www-authenticate") == "Basic realm=\"est\"");
    for (const auto* junk : {"Basic", "Basic ====", "Basic bm9jb2xvbg==", "Basic OnBhc3M=", "Bearer x"}) {
        auto wrong = request;
        wrong.headers.emplace_back("authorization", junk);
        CHECK_MESSAGE(setting.ask(wrong, {.basic = true}).status == 401, junk);
    }
    CHECK(setting.authority.enrolments == 0);
    request.headers.emplace_back("authorization", "basic dXNlcjpwYTpzcw==");
    CHECK(setting.ask(request, {.basic = true}).status == 202);
    CHECK(setting.authority.asked->peer.user == "user");
    CHECK(setting.authority.asked->peer.password.reveal() == "pa:ss");
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

TEST_CASE("INT-19, ESTS-16, FLD-E2: each refusal has its status; text is a plain sentence, and 401 has none")
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
        const auto answer = setting.ask(setting.enrolment(), {.basic = true});
        CHECK(answer.status == status);
        CHECK(header(answer, "content-type") == (status == 401 ? "" : "text/plain"));
        CHECK(answer.body == (status == 401 ? "" : "no ?[31msuch? thing\n"));
        CHECK(header(answer, "retry-after") == (status == 429 || status == 503 ? "60" : ""));
    }
    setting.authority.decision = enrol::Refused{Refusal::unavailable, "later", 120s};
    CHECK(header(setting.ask(setting.enrolment()), "retry-after") == "120");
}

TEST_CASE("INT-02, INT-18, SEC-10: CMC errors are signed for authenticated clients alone")
{
    using enrol::Refusal;
    Setting setting;
    const est::ServerOptions signing{.basic = true,
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

TEST_CASE("ESTS-11, ESTS-23: csrattrs is 200 with its own type, 204 where nothing is asked")
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
