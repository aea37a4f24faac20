#include <algorithm>
#include <set>

#include <fmt/core.h>

#include "../crypto/certificates.h"
#include "lab.h"

/// The server role of RFC 8555, clause by clause.
using namespace acmetool;
using namespace acmetool::test;

namespace
{

std::string fresh_nonce(CaLab& lab)
{
    return lab.get("/newNonce", "HEAD").header("Replay-Nonce");
}

/// A header as the lab's client would send it to `target`.
Json usual_header(CaLab& lab, const std::string& target)
{
    return {{"url", "https://ca.test" + target}, {"nonce", fresh_nonce(lab)}, {"kid", lab.account}};
}

CaReply send_body(CaLab& lab, const std::string& target, std::string body,
                  const std::string& type = "application/jose+json")
{
    http::ServerRequest request;
    request.method = "POST";
    request.target = target;
    request.headers = {{"content-type", type}};
    request.body = std::move(body);
    return CaLab::shown(lab.handle(std::move(request)));
}

/// Signed by the lab's key, with a header at will.
CaReply send_signed(CaLab& lab, const std::string& target, const Json& header,
                    const std::string& payload = {})
{
    return send_body(lab, target, *jose::sign(lab.key, header, payload));
}

/// With "alg" at will, and a signature that is none.
CaReply send_with_algorithm(CaLab& lab, const std::string& target, const std::string& algorithm)
{
    auto header = usual_header(lab, target);
    header["alg"] = algorithm;
    const auto encode = [](const std::string& text) { return base::to_base64url(as_bytes(text)); };
    return send_body(
        lab, target,
        Json{{"protected", encode(header.dump())}, {"payload", ""}, {"signature", encode("none")}}.dump());
}

bool has_link(const CaReply& reply, const std::string& link)
{
    return std::any_of(reply.headers.begin(), reply.headers.end(),
                       [&](const auto& header) { return header.first == "Link" && header.second == link; });
}

std::string finalize_with(CaLab& lab, const Json& order, const crypto::Key& key)
{
    crypto::CsrOptions wanted;
    for (const auto& identifier : order.at("identifiers"))
        wanted.identifiers.push_back({identifier.at("type"), identifier.at("value")});
    const auto csr = crypto::build_csr(key, wanted);
    const auto reply =
        lab.post(order.at("finalize").get<std::string>(), {{"csr", base::to_base64url(csr->der)}});
    return reply.status == 200 ? reply.body.at("status").get<std::string>() : reply.problem();
}

Json dns_identifier(const std::string& name)
{
    return {{"type", "dns"}, {"value", name}};
}

} // namespace

TEST_CASE(
    "CA-01a, CA-01b: nonces come with every answer to a POST, from HEAD and from GET, and each is good once")
{
    CaLab lab;
    const auto head = lab.get("/newNonce", "HEAD");
    const auto got = lab.get("/newNonce");
    CHECK(head.status == 200);
    CHECK(got.status == 204);
    std::set<std::string> nonces{head.header("Replay-Nonce"), got.header("Replay-Nonce")};
    for (const auto& reply : {head, got}) {
        CHECK(reply.header("Cache-Control") == "no-store");
        CHECK(reply.text.empty());
    }
    const auto account = lab.register_account();
    nonces.insert(account.header("Replay-Nonce"));
    const auto spent = account.header("Replay-Nonce");
    auto header = usual_header(lab, "/account/x");
    header["nonce"] = spent;
    CHECK(send_signed(lab, "/account/x", header).problem() == "unauthorized"); // it was taken
    const auto twice = send_signed(lab, "/account/x", header);
    CHECK(twice.status == 400);
    CHECK(twice.problem() == "badNonce");
    nonces.insert(twice.header("Replay-Nonce"));
    header["nonce"] = twice.header("Replay-Nonce");
    CHECK(send_signed(lab, "/account/x", header).problem() == "unauthorized");
    for (const auto* unknown : {"", "AAAAAAAAAAAAAAAAAAAAAA", "not base64url!"}) {
        header["nonce"] = unknown;
        CHECK(send_signed(lab, "/account/x", header).problem() == "badNonce");
    }
    CHECK(nonces.size() == 4);
    CHECK(std::all_of(nonces.begin(), nonces.end(), [](const auto& nonce) { return nonce.size() >= 22; }));
    CHECK(lab.get("/newNonce", "PUT").status == 405);
}

TEST_CASE("CA-02a, CA-02b: the header's url has to be the request's, and kid the URL of an account")
{
    CaLab lab;
    lab.register_account();
    const auto with = [&](const std::string& member, const Json& value) {
        auto header = usual_header(lab, "/newOrder");
        header[member] = value;
        return send_signed(lab, "/newOrder", header,
                           Json{{"identifiers", {dns_identifier("a.test")}}}.dump());
    };
    CHECK(with("kid", lab.account).status == 201);
    for (const auto* url : {"https://ca.test/newAuthz", "https://other.test/newOrder",
                            "http://ca.test/newOrder", "https://ca.test/newOrder?x", "/newOrder", ""}) {
        CAPTURE(url);
        const auto refused = with("url", url);
        CHECK(refused.status == 401);
        CHECK(refused.problem() == "unauthorized");
    }
    CHECK(with("kid", "https://ca.test/account/none").problem() == "accountDoesNotExist");
    CHECK(with("kid", "https://other.test" + lab.account.substr(15)).problem() == "accountDoesNotExist");
    CHECK(with("kid", 7).problem() == "malformed");
    CHECK(with("jwk", *jose::to_jwk(lab.key)).problem() == "malformed"); // beside kid
    auto header = usual_header(lab, "/newOrder");
    header.erase("kid");
    CHECK(send_signed(lab, "/newOrder", header).problem() == "malformed"); // neither
    header["nonce"] = fresh_nonce(lab);
    header["jwk"] = *jose::to_jwk(lab.key);
    CHECK(send_signed(lab, "/newOrder", header).problem() == "malformed"); // newOrder takes no jwk
    header = usual_header(lab, "/newAccount");
    CHECK(send_signed(lab, "/newAccount", header, "{}").problem() == "malformed"); // newAccount takes no kid
    lab.key = *crypto::generate_key("ec:P-256");
    CHECK(with("kid", lab.account).problem() == "malformed"); // the signature is not the account's
}

TEST_CASE(
    "CA-03a, CA-03b: algorithms that do not fit the key are refused with the list of those that are taken")
{
    CaLab lab;
    lab.register_account();
    for (const auto* algorithm : {"none", "HS256", "ES384", "RS256", "PS256", "es256", ""}) {
        CAPTURE(algorithm);
        const auto refused = send_with_algorithm(lab, "/newOrder", algorithm);
        CHECK(refused.status == 400);
        CHECK(refused.problem() == "badSignatureAlgorithm");
        CHECK(refused.body.at("algorithms") == Json{"ES256", "ES384", "ES512", "EdDSA", "RS256"});
    }
    for (const auto* type : {"ec:P-256", "ec:P-384", "ec:P-521", "ed25519", "rsa:2048"}) {
        CAPTURE(type);
        lab.key = *crypto::generate_key(type);
        CHECK(lab.register_account().status == 201);
    }
}

TEST_CASE("CA-04: an account neither sees nor changes what is another's")
{
    CaLab lab;
    lab.register_account();
    const auto owner = lab.account;
    const auto placed = lab.order({"a.example.com"});
    const auto authz = placed.body["authorizations"][0].get<std::string>();
    const auto challenge = lab.post(authz, std::string{}).body["challenges"][0]["url"].get<std::string>();
    lab.issue({"b.example.com"});
    const auto owner_key = lab.key;

    lab.key = *crypto::generate_key("ec:P-256");
    lab.register_account();
    for (const auto& url : {placed.header("Location"), authz, challenge, lab.certificate_url,
                            lab.certificate_url + "/alternate"}) {
        CAPTURE(url);
        const auto missing = lab.post(url.substr(0, url.rfind('/') + 1) + "none", std::string{});
        const auto refused = lab.post(url, std::string{});
        CHECK(refused.status == 404);
        CHECK((missing.body == refused.body || url.ends_with("/alternate"))); // whether it exists is not told
    }
    CHECK(lab.post(authz, {{"status", "deactivated"}}).status == 404);
    CHECK(lab.post(challenge, Json::object()).status == 404);
    CHECK(lab.finalize(placed.body).status == 404);
    CHECK(lab.post(owner, std::string{}).problem() == "unauthorized");
    CHECK(lab.post(owner, {{"status", "deactivated"}}).problem() == "unauthorized");
    CHECK(lab.post(owner + "/orders", std::string{}).problem() == "unauthorized");
    // Authorizations are no other account's, either.
    CHECK(lab.order({"b.example.com"}).body["status"] == "pending");

    lab.key = owner_key;
    lab.account = owner;
    CHECK(lab.post(authz, std::string{}).body["status"] == "pending");
    CHECK(lab.post(owner + "/orders", std::string{}).body["orders"].size() == 2);
}

TEST_CASE(
    "CA-05a, CA-05b: every resource but the directory links to it, and a challenge to its authorization")
{
    CaLab lab;
    const std::string index = "<https://ca.test/directory>;rel=\"index\"";
    CHECK_FALSE(has_link(lab.get("/directory"), index));
    const auto account = lab.register_account();
    const auto placed = lab.order({"a.example.com"});
    const auto authz_url = placed.body["authorizations"][0].get<std::string>();
    const auto authz = lab.post(authz_url, std::string{});
    const auto challenge = lab.post(authz.body["challenges"][0]["url"].get<std::string>(), std::string{});
    lab.issue({"b.example.com"});
    for (const auto& reply : {account, placed, authz, challenge, lab.post(lab.certificate_url, std::string{}),
                              lab.post(lab.account + "/orders", std::string{}),
                              lab.post("/order/none", std::string{}), lab.get("/newNonce", "HEAD"),
                              lab.get("/newNonce"), lab.get("/none"), lab.get("/newOrder"), lab.get("/crl")})
        CHECK(has_link(reply, index));
    CHECK(has_link(challenge, fmt::format("<{}>;rel=\"up\"", authz_url)));
}

TEST_CASE("CA-06: each error has the type and status that RFC 8555 gives it")
{
    CaLab lab;
    const auto is = [](const CaReply& reply, int status, const std::string& type) {
        CAPTURE(reply.text);
        CHECK(reply.status == status);
        CHECK(reply.problem() == type);
        CHECK(reply.body.value("status", 0) == status);
        CHECK_FALSE(reply.body.value("detail", "").empty());
        CHECK(reply.header("Content-Type") == "application/problem+json");
    };
    lab.register_account();
    is(lab.get("/newOrder"), 405, "malformed");
    is(lab.get("/order/x"), 405, "malformed");
    is(lab.get("/none"), 404, "malformed");
    is(send_body(lab, "/newOrder", "{}"), 400, "malformed");
    is(send_body(lab, "/newOrder", "{}", "application/json"), 415, "malformed");
    is(lab.post("/newOrder", std::string{}), 400, "malformed");
    is(lab.post("/newOrder", std::string{"[]"}), 400, "malformed");
    is(lab.post("/newOrder", {{"identifiers", Json::array()}}), 400, "malformed");
    is(lab.order({"localhost"}), 400, "rejectedIdentifier");
    is(lab.order({"a_b.example.com"}), 400, "rejectedIdentifier");
    is(lab.order({"a.example.com", "b..example.com"}), 400, "rejectedIdentifier");
    is(lab.post("/newOrder", {{"identifiers", {{{"type", "email"}, {"value", "a@b.test"}}}}}), 400,
       "unsupportedIdentifier");
    is(lab.post("/newAuthz", {{"identifier", dns_identifier("*.example.com")}}), 400, "rejectedIdentifier");
    const auto placed = lab.order({"a.example.com"});
    is(lab.finalize(placed.body), 403, "orderNotReady");
    const auto ready = lab.fulfil(placed);
    const auto finalize = ready["finalize"].get<std::string>();
    is(lab.post(finalize, {{"csr", "AAAA"}}), 400, "badCSR");
    is(lab.post(finalize, {{"csr", "A=="}}), 400, "malformed");
    auto other = ready;
    other["identifiers"][0]["value"] = "b.example.com";
    is(lab.finalize(other), 400, "badCSR");
    CHECK(lab.post(placed.header("Location"), std::string{}).body["status"] == "ready"); // section 7.4
    is(lab.post("/revokeCert", {{"certificate", "AAAA"}}), 400, "malformed");
    lab.issue({"a.example.com"});
    is(lab.post(lab.account, {{"contact", "mailto:a@b.test"}}), 400, "malformed");
    CHECK(lab.post(lab.account, {{"status", "deactivated"}}).status == 200);
    is(lab.post(lab.account, std::string{}), 401, "unauthorized");
}

TEST_CASE("CA-07a, CA-07b, CA-07c: orders, authorizations and challenges change their state only as RFC 8555 "
          "lets them")
{
    CaLab lab;
    lab.register_account();
    const auto status = [&](const std::string& url) {
        return lab.post(url, std::string{}).body.value("status", "none");
    };
    // Valid: nothing of a finished order or authorization changes by asking again.
    const auto placed = lab.order({"a.example.com"});
    const auto order = placed.header("Location");
    const auto authz = placed.body["authorizations"][0].get<std::string>();
    const auto challenges = lab.post(authz, std::string{}).body["challenges"];
    CHECK(status(order) == "pending");
    CHECK(challenges.size() > 1);
    for (const auto& challenge : challenges)
        CHECK(challenge["status"] == "pending");
    CHECK_FALSE(placed.body.contains("certificate"));
    const auto ready = lab.fulfil(placed);
    CHECK(ready["status"] == "ready");
    const auto seen = lab.post(authz, std::string{}).body;
    CHECK(seen["status"] == "valid");
    CHECK(seen["challenges"][0]["status"] == "valid");
    CHECK(seen["challenges"][0].contains("validated"));
    REQUIRE(lab.faults.set("validation=unauthorized"));
    for (const auto& challenge : challenges)
        lab.post(challenge["url"].get<std::string>(), Json::object());
    CHECK(lab.post(authz, std::string{}).body == seen);
    const auto done = lab.finalize(ready);
    CHECK(done.body["status"] == "valid");
    CHECK(done.body.contains("certificate"));
    CHECK(lab.finalize(ready).problem() == "orderNotReady");
    CHECK(lab.post(authz, {{"status", "deactivated"}}).body["status"] == "deactivated");
    CHECK(status(order) == "valid");
    CHECK(lab.post(authz, {{"status", "deactivated"}}).status == 400);

    // Invalid: final, too, for the order as well.
    const auto failing = lab.order({"b.example.com"});
    CHECK(lab.fulfil(failing)["status"] == "invalid");
    const auto failed = failing.body["authorizations"][0].get<std::string>();
    REQUIRE(lab.faults.set("validation=valid"));
    const auto asked = lab.post(failed, std::string{});
    const auto is_invalid = [](const Json& challenge) { return challenge["status"] == "invalid"; };
    CHECK(std::any_of(asked.body["challenges"].begin(), asked.body["challenges"].end(), is_invalid));
    for (const auto& challenge : asked.body["challenges"])
        lab.post(challenge["url"].get<std::string>(), Json::object());
    CHECK(lab.post(failed, {{"status", "deactivated"}}).status == 400);
    CHECK(status(failed) == "invalid");
    CHECK(lab.post(failed, std::string{}).body["challenges"] == asked.body["challenges"]);
    CHECK(status(failing.header("Location")) == "invalid");
    CHECK(lab.finalize(failing.body).problem() == "orderNotReady");
    CHECK(lab.order({"b.example.com"}).body["authorizations"][0] != failed); // a new one

    // An account comes back from nowhere.
    CHECK(lab.post(lab.account, {{"status", "valid"}}).body["status"] == "valid");
    CHECK(lab.post(lab.account, {{"status", "deactivated"}}).body["status"] == "deactivated");
    CHECK(lab.post(lab.account, {{"status", "valid"}}).problem() == "unauthorized");
    CHECK(lab.post(order, std::string{}).problem() == "unauthorized");
}

TEST_CASE("CA-07a, CA-07b: pending orders and authorizations end with their time")
{
    ca::ServiceOptions options;
    options.order_lifetime = std::chrono::seconds{0};
    options.authz_lifetime = std::chrono::seconds{0};
    CaLab lab{options};
    lab.register_account();
    const auto placed = lab.order({"a.example.com"});
    CHECK(placed.body["status"] == "invalid");
    const auto authz = placed.body["authorizations"][0].get<std::string>();
    CHECK(lab.post(authz, std::string{}).body["status"] == "expired");
    CHECK(lab.post(authz, {{"status", "deactivated"}}).status == 400);
    CHECK(lab.finalize(placed.body).problem() == "orderNotReady");
}

TEST_CASE("CA-08: an order can ask to prove an ancestor domain, and only one that is an ancestor")
{
    const auto order = [](CaLab& lab, std::vector<std::pair<std::string, std::string>> names) {
        Json identifiers = Json::array();
        for (const auto& [name, ancestor] : names) {
            identifiers.push_back(dns_identifier(name));
            if (!ancestor.empty()) identifiers.back()["ancestorDomain"] = ancestor;
        }
        return lab.post("/newOrder", {{"identifiers", identifiers}});
    };
    CaLab lab;
    lab.register_account();
    const auto placed = order(lab, {{"www.a.Example.com", "Example.COM"}, {"b.example.com", "example.com"}});
    REQUIRE(placed.status == 201);
    CHECK(placed.body["identifiers"] ==
          Json{dns_identifier("b.example.com"), dns_identifier("www.a.example.com")});
    REQUIRE(placed.body["authorizations"].size() == 1);
    const auto authz = lab.post(placed.body["authorizations"][0].get<std::string>(), std::string{}).body;
    CHECK(authz["identifier"] == dns_identifier("example.com"));
    CHECK(authz["subdomainAuthAllowed"] == true);
    CHECK_FALSE(authz.contains("wildcard"));
    CHECK(lab.fulfil(placed)["status"] == "ready");
    CHECK(lab.order({"other.example.com"}).body["status"] == "ready"); // covered now
    CHECK(lab.order({"*.example.com"}).body["status"] == "pending");
    CHECK(lab.order({"xample.com"}).body["status"] == "pending");

    for (const auto* wrong :
         {"a.example.net", "example.net", "ample.net", "net", "*.net", "x.b.example.net"}) {
        CAPTURE(wrong);
        CHECK(order(lab, {{"b.example.net", wrong}}).status ==
              (std::string{wrong} == "example.net" ? 201 : 400));
    }
    CHECK(order(lab, {{"b.example.org", "b.example.org"}}).problem() == "malformed"); // no ancestor of itself

    ca::ServiceOptions options;
    options.subdomains = ca::Subdomains::off;
    CaLab without{options};
    without.register_account();
    const auto plain = order(without, {{"b.example.com", "example.com"}});
    const auto exact = without.post(plain.body["authorizations"][0].get<std::string>(), std::string{}).body;
    CHECK(exact["identifier"] == dns_identifier("b.example.com"));
    CHECK_FALSE(exact.contains("subdomainAuthAllowed"));
}

TEST_CASE(
    "CA-09a, CA-09b: a certificate is revoked by its account, its key, or an account with all its names")
{
    CaLab lab;
    lab.register_account();
    const auto owner = lab.account;
    const auto owner_key = lab.key;
    const auto encoded = [](const std::vector<crypto::Certificate>& chain) {
        return Json{{"certificate", base::to_base64url(chain.front().der())}};
    };
    const auto by_account = lab.issue({"a.example.com"});
    const auto by_key = lab.issue({"b.example.com"});
    const auto its_key = lab.certificate_key;
    const auto by_names = lab.issue({"c.example.com", "d.example.com"});

    lab.key = *crypto::generate_key("ec:P-256");
    lab.register_account();
    const auto stranger = lab.key;
    CHECK(lab.post("/revokeCert", encoded(by_account)).problem() == "unauthorized");
    CHECK(lab.post("/revokeCert", encoded(by_account), true).problem() == "unauthorized");
    CHECK(lab.post("/revokeCert", encoded(by_names)).problem() == "unauthorized");
    lab.fulfil(lab.order({"c.example.com"}));
    CHECK(lab.post("/revokeCert", encoded(by_names)).problem() == "unauthorized"); // one name of two
    lab.fulfil(lab.order({"d.example.com"}));
    CHECK(lab.post("/revokeCert", encoded(by_names)).status == 200);

    lab.key = its_key;
    CHECK(lab.post("/revokeCert", encoded(by_account), true).problem() == "unauthorized");
    CHECK(lab.post("/revokeCert", encoded(by_key), true).status == 200);
    CHECK(lab.post("/revokeCert", encoded(by_key), true).problem() == "alreadyRevoked");

    lab.key = owner_key;
    lab.account = owner;
    auto reasoned = encoded(by_account);
    for (const int wrong : {-1, 7, 8, 11, 4000}) {
        reasoned["reason"] = wrong;
        CHECK(lab.post("/revokeCert", reasoned).problem() == "badRevocationReason");
    }
    reasoned["reason"] = 4;
    const auto revoked = lab.post("/revokeCert", reasoned);
    CHECK(revoked.status == 200);
    CHECK(revoked.text.empty());
    CHECK(lab.post("/revokeCert", encoded(by_account)).problem() == "alreadyRevoked");

    // Made elsewhere with the serial number of one of ours.
    const auto foreign = std::vector{make_identity("foreign").certificate};
    CHECK(lab.post("/revokeCert", encoded(foreign)).status == 404);
}

TEST_CASE("CA-10, SEC-27: a CSR with the key of any account is refused, and the order stays ready")
{
    CaLab lab;
    lab.register_account();
    const auto ready = lab.fulfil(lab.order({"a.example.com"}));
    const auto mine = lab.account;
    const auto my_key = lab.key;
    std::vector<crypto::Key> taken{my_key};
    for (const auto* type : {"ec:P-256", "rsa:2048", "ed25519"}) {
        lab.key = *crypto::generate_key(type);
        lab.register_account();
        taken.push_back(lab.key);
    }
    lab.post(lab.account, {{"status", "deactivated"}}); // still that account's
    lab.key = my_key;
    lab.account = mine;
    for (const auto& key : taken) {
        CAPTURE(key.type());
        CHECK(finalize_with(lab, ready, key) == "badCSR");
    }
    CHECK(finalize_with(lab, ready, *crypto::generate_key("ec:P-256")) == "valid");
}

TEST_CASE(
    "CA-11a, CA-11b, SEC-27: contacts that are not one address, and other schemes, are named and refused")
{
    CaLab lab;
    const auto contact = [](const std::string& url) {
        return Json{{"contact", {"mailto:good@example.com", url}}};
    };
    for (const auto* url :
         {"mailto:a@example.com?subject=x", "mailto:a@example.com,b@example.com", "mailto:?to=a@example.com",
          "mailto:", "mailto:a", "mailto:a@", "mailto:@example.com", "mailto:a@b@example.com",
          "mailto:a@example.com%2Cb@example.com", "mailto:a%0d%0a@example.com", "mailto:a b@example.com",
          "mailto:a@example.com#x", "mailto:a@example..com%3f", "mailto:%zz@example.com",
          "MAILTO:a@example.com?cc=b@example.com", "no url"}) {
        CAPTURE(url);
        const auto refused = lab.register_account(contact(url));
        CHECK(refused.status == 400);
        CHECK(refused.problem() == "invalidContact");
        CHECK(refused.body.value("detail", "").find(url) != std::string::npos);
    }
    const auto other = lab.register_account(contact("tel:+1-201-555-0123"));
    CHECK(other.problem() == "unsupportedContact");
    CHECK(other.body.value("detail", "").find("tel:+1-201-555-0123") != std::string::npos);
    CHECK(lab.register_account({{"contact", {7}}}).problem() == "malformed");
    const Json good{{"contact",
                     {"mailto:a@example.com", "MailTo:a+tag@xn--bcher-kva.example",
                      "mailto:%22a%2Cb%22@[192.0.2.1]", "mailto:j%C3%BCrgen@example.com"}}};
    CHECK(lab.register_account(good).status == 201);
    CHECK(lab.post(lab.account, contact("mailto:a@b,c@d")).problem() == "invalidContact");
    CHECK(lab.post(lab.account, std::string{}).body["contact"] == good["contact"]);
}

TEST_CASE("CA-12, SEC-27: a name that is ordered twice, in any case, has one authorization")
{
    CaLab lab;
    lab.register_account();
    const auto placed = lab.order({"a.example.com", "A.Example.COM", "b.example.com", "*.b.example.com",
                                   "a.example.com", "*.B.example.com"});
    CHECK(placed.body["identifiers"] == Json{dns_identifier("*.b.example.com"),
                                             dns_identifier("a.example.com"),
                                             dns_identifier("b.example.com")});
    CHECK(placed.body["authorizations"].size() == 3); // a wildcard has its own (section 7.1.4)
    std::multiset<std::string> proved;
    for (const auto& url : placed.body["authorizations"]) {
        const auto authz = lab.post(url.get<std::string>(), std::string{}).body;
        proved.insert(authz["identifier"]["value"].get<std::string>() +
                      (authz.contains("wildcard") ? " *" : ""));
    }
    CHECK(proved == std::multiset<std::string>{"a.example.com", "b.example.com", "b.example.com *"});
    CHECK(lab.finalize(lab.fulfil(placed)).body["status"] == "valid");
    const auto addresses = lab.post("/newOrder", {{"identifiers",
                                                   {{{"type", "ip"}, {"value", "2001:db8::1"}},
                                                    {{"type", "ip"}, {"value", "2001:DB8:0::1"}}}}});
    CHECK(addresses.body["authorizations"].size() == 1);
}
