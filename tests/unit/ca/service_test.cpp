#include <openssl/x509v3.h>

#include "../crypto/large_key.h"
#include "ca/records.h"
#include "lab.h"
#include "store/sqlite.h"

using namespace acmetool;
using namespace acmetool::test;

TEST_CASE("CA: external account binding demanded, verified, and shown in the account")
{
    const Folder keys;
    const auto made = ca::add_binding_key(keys / "eab", "device-7");
    REQUIRE(made.has_value());
    CHECK_FALSE(ca::add_binding_key(keys / "eab", "device-7").has_value());
    CHECK_FALSE(ca::add_binding_key(keys / "eab", "two words").has_value());
    ca::ServiceOptions options;
    options.external_binding = ca::ExternalBinding::required;
    options.eab_keys_file = keys / "eab";
    CaLab lab{options};
    CHECK(lab.get("/directory").body["meta"]["externalAccountRequired"] == true);
    CHECK(lab.register_account().problem() == "externalAccountRequired");

    const auto bound = [&](const std::string& mac_key, const std::string& kid, const std::string& url,
                           const crypto::Key& account_key) {
        const base::Secret secret{std::string{as_text(*base::parse_base64url(mac_key))}};
        const auto jws =
            jose::sign_with_mac(secret, {{"kid", kid}, {"url", url}}, jose::to_jwk(account_key)->dump());
        return lab.register_account({{"externalAccountBinding", Json::parse(*jws)}});
    };
    const std::string url = "https://ca.test/newAccount";
    CHECK(bound(made->key, "device-8", url, lab.key).problem() == "unauthorized");
    CHECK(bound(base::to_base64url(Bytes(32, 1)), "device-7", url, lab.key).problem() == "unauthorized");
    CHECK(bound(made->key, "device-7", "https://ca.test/other", lab.key).problem() == "malformed");
    CHECK(bound(made->key, "device-7", url, *crypto::generate_key("ec:P-256")).problem() == "malformed");
    const auto account = bound(made->key, "device-7", url, lab.key);
    CHECK(account.status == 201);
    CHECK(account.body.contains("externalAccountBinding"));
    CHECK(ca::add_binding_key(keys / "eab", "")->kid.size() == 22); // read anew for each account
}

TEST_CASE("FAULT-16: onlyReturnExisting, deactivation, and account faults")
{
    CaLab lab;
    CHECK(lab.register_account({{"onlyReturnExisting", true}}).problem() == "accountDoesNotExist");
    CHECK(lab.register_account({{"contact", {"tel:1"}}}).problem() == "unsupportedContact");
    CHECK(lab.register_account().status == 201);
    const auto account = lab.account;
    CHECK(lab.register_account({{"onlyReturnExisting", true}}).status == 200);
    CHECK(lab.account == account);
    for (const auto& [fault, problem] : {std::pair{"account=doesNotExist", "accountDoesNotExist"},
                                         {"account=deactivated", "unauthorized"},
                                         {"account=keyChanged", "malformed"}}) {
        REQUIRE(lab.faults.set(fault));
        CHECK(lab.order({"a.example.com"}).problem() == problem);
    }
    REQUIRE(lab.faults.set("account=off"));
    CHECK(lab.post(account, {{"status", "deactivated"}}).body["status"] == "deactivated");
    CHECK(lab.order({"a.example.com"}).problem() == "unauthorized");
    CHECK(lab.register_account().problem() == "unauthorized");

    lab.key = *crypto::generate_key("rsa:2048");
    CHECK(lab.register_account().status == 201);
}

TEST_CASE("SEC-17: without a nonce nothing is verified, and no key is over 4096 bits")
{
    CaLab lab;
    const auto send = [&](const std::string& resource, const Json& header, const std::string& payload) {
        http::ServerRequest request;
        request.method = "POST";
        request.target = "/" + resource;
        request.headers = {{"content-type", "application/jose+json"}};
        const auto encode = [](const std::string& text) { return base::to_base64url(as_bytes(text)); };
        request.body =
            Json{{"protected", encode(header.dump())}, {"payload", encode(payload)}, {"signature", "AAAA"}}
                .dump();
        const auto response = lab.handle(std::move(request));
        return Json::parse(response.body).at("type").get<std::string>().substr(27);
    };
    const auto nonce = [&] { return lab.get("/newNonce", "HEAD").header("Replay-Nonce"); };
    const auto header = [&](const std::string& resource, const crypto::Key& key, const std::string& one) {
        return Json{{"alg", "RS256"},
                    {"url", "https://ca.test/" + resource},
                    {"nonce", one},
                    {"jwk", *jose::to_jwk(key)}};
    };
    const auto usual = public_rsa(2048);
    CHECK(send("newAccount", header("newAccount", usual, nonce()), "{}") == "malformed"); // the signature
    CHECK(send("newAccount", header("newAccount", usual, "none"), "{}") == "badNonce");
    CHECK(send("revokeCert", header("revokeCert", usual, "none"), "{}") == "badNonce");
    CHECK(send("newAccount", header("newAccount", public_rsa(8192), nonce()), "{}") == "badPublicKey");
    CHECK(send("newAccount", header("newAccount", public_rsa(2048, 72), nonce()), "{}") == "badPublicKey");
    auto by_account = header("newOrder", usual, "none");
    by_account.erase("jwk");
    by_account["kid"] = "https://ca.test/account/none";
    CHECK(send("newOrder", by_account, "{}") == "badNonce");

    lab.register_account();
    const auto placed = lab.fulfil(lab.order({"a.example.com"}));
    const crypto::ReqPtr request{X509_REQ_new()};
    X509_REQ_set_pubkey(request.get(), public_rsa(8192).get());
    X509_REQ_sign(request.get(), crypto::generate_key("ec:P-256")->get(), EVP_sha256());
    unsigned char* out = nullptr;
    const int size = i2d_X509_REQ(request.get(), &out);
    const crypto::OpensslMemory owned{out};
    const auto refused = lab.post(placed.at("finalize").get<std::string>(),
                                  {{"csr", base::to_base64url({out, static_cast<std::size_t>(size)})}});
    CHECK(refused.problem() == "badCSR");
    CHECK(refused.text.find("too large") != std::string::npos);
}

TEST_CASE("SEC-29: a CA whose database was replaced answers 503 until it is back")
{
    CaLab lab;
    CHECK(lab.register_account().status == 201);
    std::filesystem::rename(lab.options.database, lab.folder / "away.db");
    for (const bool replaced : {false, true}) {
        if (replaced) std::filesystem::copy_file(lab.folder / "away.db", lab.options.database);
        const auto refused = lab.order({"a.example.com"});
        CHECK(refused.status == 503);
        CHECK(refused.problem() == "serverInternal");
        CHECK(refused.header("Retry-After") == "30");
        CHECK(refused.text.find(lab.options.database) == std::string::npos);
    }
    std::filesystem::rename(lab.folder / "away.db", lab.options.database);
    CHECK(lab.order({"a.example.com"}).status == 201);
}

TEST_CASE("FAULT-16: key change, and 409 with the URL of the account that has the key")
{
    CaLab lab;
    lab.register_account();
    const auto old_key = lab.key;
    const auto new_key = *crypto::generate_key("ec:P-384");
    const auto change = [&](const crypto::Key& to, const crypto::Key& from, const Json& header_more) {
        Json header{{"url", "https://ca.test/keyChange"}, {"jwk", *jose::to_jwk(to)}};
        header.update(header_more);
        const Json payload{{"account", lab.account}, {"oldKey", *jose::to_jwk(from)}};
        return lab.post("/keyChange", *jose::sign(to, header, payload.dump()));
    };
    CHECK(change(new_key, new_key, Json::object()).problem() == "malformed"); // oldKey is another
    CHECK(change(new_key, old_key, {{"nonce", "abc"}}).problem() == "malformed");
    CHECK(change(new_key, old_key, {{"url", "https://ca.test/else"}}).problem() == "malformed");
    CHECK(change(new_key, old_key, Json::object()).status == 200);
    CHECK(lab.order({"a.example.com"}).problem() == "badSignatureAlgorithm"); // still signed by the old key
    lab.key = new_key;
    CHECK(lab.order({"a.example.com"}).status == 201);

    const auto first = lab.account;
    lab.key = old_key;
    CHECK(lab.register_account().status == 201); // the old key is free again
    const auto conflict = change(new_key, old_key, Json::object());
    CHECK(conflict.status == 409);
    CHECK(conflict.header("Location") == first);
}

TEST_CASE("changed terms of service ask for a person, who agrees at the instance URL")
{
    ca::ServiceOptions options;
    options.terms_of_service = "https://ca.test/terms/1";
    CaLab lab{options};
    CHECK(lab.register_account().problem() == "userActionRequired");
    CHECK(lab.register_account({{"termsOfServiceAgreed", true}}).status == 201);
    CHECK(lab.order({"a.example.com"}).status == 201);
    REQUIRE(lab.faults.set("newTerms=https://ca.test/terms/2"));
    CHECK(lab.get("/directory").body["meta"]["termsOfService"] == "https://ca.test/terms/2");
    const auto refused = lab.order({"a.example.com"});
    CHECK(refused.problem() == "userActionRequired");
    CHECK(refused.header("Link") == "<https://ca.test/terms/2>;rel=\"terms-of-service\"");
    CHECK(lab.get(refused.body["instance"].get<std::string>().substr(15)).status == 200);
    CHECK(lab.order({"a.example.com"}).status == 201);
}

TEST_CASE("CA: an alternate chain ends at another root and has the same certificate")
{
    CaLab lab;
    lab.register_account();
    const auto chain = lab.issue({"a.example.com"});
    const auto answer = lab.post(lab.certificate_url, std::string{});
    const auto link = answer.header("Link");
    REQUIRE(link.ends_with(";rel=\"alternate\""));
    const auto other =
        *crypto::parse_pem_chain(lab.post(link.substr(1, link.find('>') - 1), std::string{}).text);
    CHECK(other.front().sha256() == chain.front().sha256());
    CHECK(other.back().sha256() != chain.back().sha256());
    CHECK(other.front().is_issued_by(other.back()));
    CHECK(other.back().issuer() == "CN=acme-integrations LAB Alternate Root");
    const auto again = *ca::Authority::open(lab.folder / "ca", {"localhost"}, base::Context{}.now());
    CHECK(again.alternate_intermediate().sha256() == other.back().sha256());
}

TEST_CASE("revocation by the certificate's key, its reasons, and twice")
{
    CaLab lab;
    lab.register_account();
    const auto chain = lab.issue({"a.example.com"});
    const auto encoded = base::to_base64url(chain.front().der());
    const auto account_key = lab.key;
    lab.key = *crypto::generate_key("ec:P-256");
    CHECK(lab.post("/revokeCert", {{"certificate", encoded}}, true).problem() == "unauthorized");
    lab.key = lab.certificate_key;
    CHECK(lab.post("/revokeCert", {{"certificate", encoded}, {"reason", 8}}, true).problem() ==
          "badRevocationReason");
    CHECK(lab.post("/revokeCert", {{"certificate", encoded}, {"reason", 1}}, true).status == 200);
    lab.key = account_key;
    CHECK(lab.post("/revokeCert", {{"certificate", encoded}}).problem() == "alreadyRevoked");
    CHECK(lab.get("/crl").status == 200);
}

TEST_CASE("SCL-30: requests are answered while a CRL is made, which has what was revoked by then")
{
    CaLab lab;
    lab.register_account();
    const auto chain = lab.issue({"a.example.com"});
    const auto numbers = [](const http::ServerResponse& response) {
        const auto crls = crypto::parse_crls(response.body, "CRL");
        return crls ? crls->front().size() : 99;
    };
    const auto ask = [&] {
        const auto answer = std::make_shared<std::promise<http::ServerResponse>>();
        http::ServerRequest request;
        request.method = "GET";
        request.target = "/crl";
        lab.service->handle(std::move(request), [answer](http::ServerResponse response) {
            answer->set_value(std::move(response));
        });
        return answer->get_future();
    };
    REQUIRE(lab.faults.set("crlHold=1"));
    auto before = ask();
    CHECK(lab.order({"b.example.com"}).status == 201);
    CHECK(lab.post("/revokeCert", {{"certificate", base::to_base64url(chain.front().der())}}).status == 200);
    auto after = ask();
    CHECK(lab.order({"c.example.com"}).status == 201);
    REQUIRE(lab.faults.set("crlHold=off"));
    CHECK(numbers(before.get()) == 1);
    CHECK(numbers(after.get()) == 1);
    CHECK(numbers(ask().get()) == 1);
}

TEST_CASE("SCL-31: thousands of certificates are listed one after the other, each once, oldest first")
{
    const Folder folder;
    const auto file = folder / "acme-ca.db";
    {
        const auto database = *ca::Records::open(file);
        ca::Records records{*database};
        REQUIRE(database->begin());
        for (int i = 0; i < 1234; ++i)
            REQUIRE(records.put("certificate", std::to_string(i * 7919 % 1234), "a", "",
                                {{"serial", i}, {"chain", "x"}, {"account", "a"}}));
        REQUIRE(records.put("order", "o", "a", "", Json::object()));
        REQUIRE(records.keep());
        REQUIRE(database->commit());
    }
    int next = 0;
    REQUIRE(ca::Service::each_certificate(file, [&](const Json& one) -> Result<void> {
        CHECK(one == Json{{"serial", next++}});
        return {};
    }));
    CHECK(next == 1234);
    // The reader may stop.
    CHECK_FALSE(ca::Service::each_certificate(
        file, [](const Json&) -> Result<void> { return fail(Errc::io, "full"); }));
}

TEST_CASE("profiles are advertised, chosen, defaulted, and refused by name")
{
    ca::ServiceOptions options;
    options.profiles = {*ca::parse_profile("classic=30d"), *ca::parse_profile("server=6d:serverAuth")};
    CaLab lab{options};
    lab.register_account();
    CHECK(lab.get("/directory").body["meta"]["profiles"].size() == 2);
    CHECK(lab.order({"a.example.com"}).body["profile"] == "classic");
    CHECK(lab.order({"a.example.com"}, {{"profile", "tls"}}).problem() == "invalidProfile");
    const auto chain = lab.issue({"a.example.com"}, {{"profile", "server"}});
    CHECK(chain.front().not_after() - chain.front().not_before() <=
          std::chrono::hours{6 * 24} + std::chrono::minutes{2});
    CHECK((X509_get_extended_key_usage(chain.front().get()) & XKU_SSL_CLIENT) == 0);
    CHECK_FALSE(ca::parse_profile("x").has_value());
    CHECK_FALSE(ca::parse_profile("x=6d:codeSigning").has_value());
}

TEST_CASE("CA: renewal information, and replaces once only")
{
    CaLab lab;
    lab.register_account();
    const auto chain = lab.issue({"a.example.com"});
    const auto id = *acme::certificate_id(chain.front());
    CHECK(lab.get("/directory").body["renewalInfo"] == "https://ca.test/renewalInfo");
    const auto answer = lab.get("/renewalInfo/" + id);
    const auto start = *base::parse_rfc3339(answer.body["suggestedWindow"]["start"].get<std::string>());
    const auto end = *base::parse_rfc3339(answer.body["suggestedWindow"]["end"].get<std::string>());
    CHECK(start > chain.front().not_before());
    CHECK(start < end);
    CHECK(end < chain.front().not_after());
    CHECK(answer.header("Retry-After") == "21600");
    CHECK(lab.get("/renewalInfo/" + id.substr(1)).status == 404);
    CHECK(lab.get("/renewalInfo/nothing").status == 404);
    REQUIRE(lab.faults.set("renewalInfo=past"));
    CHECK(*base::parse_rfc3339(
              lab.get("/renewalInfo/" + id).body["suggestedWindow"]["end"].get<std::string>()) <
          base::Context{}.now());
    REQUIRE(lab.faults.set("renewalInfo=malformed"));
    CHECK(lab.get("/renewalInfo/" + id).body["suggestedWindow"].is_string());
    REQUIRE(lab.faults.set("renewalInfo=off"));

    CHECK(lab.order({"b.example.com"}, {{"replaces", id}}).problem() == "malformed");
    const auto renewal = lab.order({"a.example.com", "b.example.com"}, {{"replaces", id}});
    CHECK(renewal.body["replaces"] == id);
    const auto twice = lab.order({"a.example.com"}, {{"replaces", id}});
    CHECK(twice.status == 409);
    CHECK(twice.problem() == "alreadyReplaced");
}

TEST_CASE("CA: IP identifiers, wildcards, and names of an unknown type")
{
    CaLab lab;
    lab.register_account();
    const auto placed = lab.order({"127.0.0.1"});
    REQUIRE(placed.status == 201);
    const auto authz = lab.post(placed.body["authorizations"][0].get<std::string>(), std::string{}).body;
    CHECK(authz["identifier"] == Json{{"type", "ip"}, {"value", "127.0.0.1"}});
    for (const auto& challenge : authz["challenges"])
        CHECK(challenge["type"] != "dns-01"); // RFC 8738 section 7
    CHECK(lab.issue({"127.0.0.1"}).front().identifiers().front().type == "ip");

    const auto wildcard = lab.order({"*.example.com"});
    const auto base = lab.post(wildcard.body["authorizations"][0].get<std::string>(), std::string{}).body;
    CHECK(base["identifier"]["value"] == "example.com");
    CHECK(base["wildcard"] == true);
    CHECK(base["challenges"].size() == 1);
    CHECK(lab.issue({"*.example.com"}).front().identifiers().front().value == "*.example.com");

    const Json email{{"identifiers", {{{"type", "email"}, {"value", "a@example.com"}}}}};
    const auto refused = lab.post("/newOrder", email);
    CHECK(refused.problem() == "unsupportedIdentifier");
    CHECK(refused.body["subproblems"][0]["identifier"]["type"] == "email");
    REQUIRE(lab.faults.set("rejectIdentifiers=x.example.com,y.example.com"));
    const auto several = lab.order({"x.example.com", "y.example.com", "z.example.com"});
    CHECK(several.problem() == "compound");
    CHECK(several.body["subproblems"].size() == 2);
}

TEST_CASE("notBefore and notAfter are kept, shown, and limited")
{
    CaLab lab;
    lab.register_account();
    const auto now = base::Context{}.now();
    const auto at = [&](int hours) { return base::to_rfc3339(now + std::chrono::hours{hours}); };
    const auto chain = lab.issue({"a.example.com"}, {{"notBefore", at(1)}, {"notAfter", at(5)}});
    CHECK(chain.front().not_before() == now + std::chrono::hours{1});
    CHECK(chain.front().not_after() == now + std::chrono::hours{5});
    CHECK(lab.order({"a.example.com"}, {{"notAfter", at(24 * 400)}}).problem() == "malformed");
    CHECK(lab.order({"a.example.com"}, {{"notBefore", at(5)}, {"notAfter", at(1)}}).problem() == "malformed");
    CHECK(lab.order({"a.example.com"}, {{"notAfter", "tomorrow"}}).problem() == "malformed");
}

TEST_CASE("FAULT-09: a rate limit with Retry-After, and 503")
{
    ca::ServiceOptions options;
    options.rate_limit = *ca::parse_rate_limit("2/1h");
    CaLab lab{options};
    lab.register_account();
    CHECK(lab.order({"a.example.com"}).status == 201);
    CHECK(lab.order({"a.example.com"}).status == 201);
    const auto limited = lab.order({"a.example.com"});
    CHECK(limited.status == 429);
    CHECK(limited.problem() == "rateLimited");
    CHECK(std::stoi(limited.header("Retry-After")) > 3500);
    REQUIRE(lab.faults.set("unavailable=order:1"));
    REQUIRE(lab.faults.set("retryAfter=7"));
    const auto down = lab.post("/order/x", std::string{});
    CHECK(down.status == 503);
    CHECK(down.header("Retry-After") == "7");
    CHECK(lab.post("/order/x", std::string{}).status == 404);
    CHECK_FALSE(ca::parse_rate_limit("often").has_value());
}

TEST_CASE("FAULT-04, FAULT-18: authorizations that are not reused, or expired")
{
    CaLab lab;
    lab.register_account();
    lab.issue({"a.example.com"});
    CHECK(lab.order({"a.example.com"}).body["status"] == "ready");
    REQUIRE(lab.faults.set("authzReuse=0"));
    CHECK(lab.order({"a.example.com"}).body["status"] == "pending");
    REQUIRE(lab.faults.set("authzReuse=off"));
    REQUIRE(lab.faults.set("authzExpired=1"));
    CHECK(lab.order({"a.example.com"}).body["status"] == "pending");
    REQUIRE(lab.faults.set("preauthorized=1"));
    REQUIRE(lab.faults.set("authzExpired=off"));
    CHECK(lab.order({"new.example.com"}).body["status"] == "ready");
}

TEST_CASE("FAULT-02, FAULT-12, FAULT-17: stale nonces, odd directories, problems at will")
{
    CaLab lab;
    lab.register_account();
    REQUIRE(lab.faults.set("directory=minimal"));
    CHECK_FALSE(lab.get("/directory").body.contains("meta"));
    REQUIRE(lab.faults.set("directory=plainHttp"));
    CHECK(lab.get("/directory").body["newOrder"] == "http://ca.test/newOrder");
    REQUIRE(lab.faults.set("directory=redirect"));
    CHECK(lab.get("/directory").status == 302);
    CHECK(lab.get("/directory?moved").status == 200);
    REQUIRE(lab.faults.set("directory=off"));
    REQUIRE(lab.faults.set("problem=newOrder:caa:1"));
    CHECK(lab.order({"a.example.com"}).problem() == "caa");
    CHECK(lab.order({"a.example.com"}).status == 201);
    REQUIRE(lab.faults.set("unknownMembers=1"));
    REQUIRE(lab.faults.set("unknownStatus=confused"));
    const auto odd = lab.order({"a.example.com"});
    CHECK(odd.body.contains("unknown"));
    CHECK(odd.body["status"] == "confused");
}

TEST_CASE("FAULT-05: a validation that fails makes authorization and order invalid, with the error")
{
    CaLab lab;
    lab.register_account();
    REQUIRE(lab.faults.set("validation=caa"));
    const auto placed = lab.order({"a.example.com"});
    CHECK(lab.fulfil(placed)["status"] == "invalid");
    const auto authz = lab.post(placed.body["authorizations"][0].get<std::string>(), std::string{}).body;
    CHECK(authz["status"] == "invalid");
    CHECK(authz["challenges"][0]["error"]["type"] == "urn:ietf:params:acme:error:caa");
}

TEST_CASE("PRE-17: a deactivated authorization counts no more")
{
    CaLab lab;
    lab.register_account();
    lab.issue({"a.example.com"});
    const auto ready = lab.order({"a.example.com"});
    CHECK(ready.body["status"] == "ready");
    const auto authz = ready.body["authorizations"][0].get<std::string>();
    CHECK(lab.post(authz, {{"status", "valid"}}).problem() == "malformed");
    CHECK(lab.post(authz, {{"status", "deactivated"}}).body["status"] == "deactivated");
    CHECK(lab.order({"a.example.com"}).body["status"] == "pending");
    CHECK(lab.finalize(ready.body).problem() == "orderNotReady");
}

TEST_CASE("CA: an answer leaves only after the commit of what it says")
{
    CaLab lab;
    const auto committed = [&] {
        const auto other = *store::Sqlite::open(lab.options.database);
        return other->execute("SELECT count(*) FROM records WHERE kind = 'account'")->front().front();
    };
    CHECK(committed() == "0");
    std::vector<std::future<std::string>> seen;
    for (int i = 1; i <= 8; ++i) {
        lab.key = *crypto::generate_key("ec:P-256");
        const auto answer = std::make_shared<std::promise<std::string>>();
        seen.push_back(answer->get_future());
        lab.service->handle(lab.signed_post("/newAccount", "{}"),
                            [&committed, answer](const http::ServerResponse& response) {
                                answer->set_value(response.status == 201 ? committed() : "refused");
                            });
    }
    for (int i = 1; i <= 8; ++i) {
        const auto count = seen[static_cast<std::size_t>(i - 1)].get();
        REQUIRE(count != "refused");
        CHECK(std::stoi(count) >= i);
    }
}

TEST_CASE("SEC-34: nothing of a transaction that fails is answered as done, but with 503")
{
    CaLab lab;
    lab.register_account();
    const auto other = *store::Sqlite::open(lab.options.database);
    REQUIRE(other->execute(
        "CREATE TRIGGER full BEFORE INSERT ON records BEGIN SELECT RAISE(ROLLBACK, 'full'); END"));
    // A second later the database is tried by itself, and believed to be good until the next request.
    CHECK(comes_true([&] {
        const auto failed = lab.order({"a.example.com"});
        CHECK(failed.status == 503);
        CHECK(failed.problem() == "serverInternal");
        CHECK(failed.header("Retry-After") == "30");
        CHECK(failed.text.find("INSERT") == std::string::npos);
        return lab.service->problem().has_value();
    }));
    REQUIRE(other->execute("DROP TRIGGER full"));
    CHECK(lab.order({"a.example.com"}).status == 201);
    CHECK_FALSE(lab.service->problem().has_value());
}

TEST_CASE("CA: an order that is processing while the CA restarts gets its one certificate")
{
    CaLab lab;
    lab.register_account();
    REQUIRE(lab.faults.set("processing=2")); // a second at least: times are whole seconds
    const auto placed = lab.order({"a.example.com"});
    const auto done = lab.finalize(lab.fulfil(placed));
    REQUIRE(done.body.at("status") == "processing");
    lab.open();
    CHECK(lab.finalize(placed.body).problem() == "orderNotReady");
    Json order;
    REQUIRE(comes_true([&] {
        order = lab.post(placed.header("Location"), std::string{}).body;
        return order.at("status") == "valid";
    }));
    CHECK(lab.post(order.at("certificate").get<std::string>(), std::string{}).status == 200);
    int issued = 0;
    REQUIRE(ca::Service::each_certificate(lab.options.database, [&](const Json&) -> Result<void> {
        ++issued;
        return {};
    }));
    CHECK(issued == 1);
}

TEST_CASE("CA: a validation that waits for its time is taken up after a restart")
{
    CaLab lab;
    lab.register_account();
    REQUIRE(lab.faults.set("challengeDelay=600"));
    const auto placed = lab.order({"a.example.com"});
    const auto authz = lab.post(placed.body["authorizations"][0].get<std::string>(), std::string{}).body;
    CHECK(lab.post(authz["challenges"][0]["url"].get<std::string>(), Json::object()).body["status"] ==
          "processing");
    CHECK(lab.post(placed.header("Location"), std::string{}).body["status"] == "pending");
    REQUIRE(lab.faults.set("challengeDelay=off"));
    lab.open();
    CHECK(lab.fulfil(placed)["status"] == "ready");
}

TEST_CASE("CA: an old account with a key over 4096 bits is refused as badPublicKey at every use")
{
    CaLab lab;
    lab.register_account();
    const auto id = lab.account.substr(lab.account.rfind('/') + 1);
    lab.service.reset();
    {
        const auto database = *ca::Records::open(lab.options.database);
        ca::Records records{*database};
        auto object = **records.get("account", id);
        object["jwk"] = *jose::to_jwk(public_rsa(8192));
        REQUIRE(database->begin());
        REQUIRE(records.put("account", id, id, "thumbprint", object));
        REQUIRE(records.keep());
        REQUIRE(database->commit());
    }
    lab.open();
    for (const auto* resource : {"/newOrder", "/newAuthz", "/keyChange", "/revokeCert", "/order/x"}) {
        const auto refused = lab.post(resource, Json::object());
        CHECK(refused.status == 400);
        CHECK(refused.problem() == "badPublicKey");
    }
    CHECK(lab.post(lab.account, {{"status", "deactivated"}}).problem() == "badPublicKey");
    const auto agreed = lab.get("/agree/" + id);
    CHECK(agreed.status == 400);
    CHECK(agreed.problem() == "badPublicKey");
}

TEST_CASE("CA: the CRL is signed once, and again after a revocation")
{
    CaLab lab;
    lab.register_account();
    const auto chain = lab.issue({"a.example.com"});
    std::vector<std::future<std::string>> readers;
    for (int i = 0; i < 8; ++i) {
        const auto answer = std::make_shared<std::promise<std::string>>();
        readers.push_back(answer->get_future());
        http::ServerRequest request;
        request.method = "GET";
        request.target = "/crl";
        lab.service->handle(
            request, [answer](const http::ServerResponse& response) { answer->set_value(response.body); });
    }
    const auto first = lab.get("/crl").text;
    for (auto& reader : readers)
        CHECK(reader.get() == first);

    const auto revoked_in = [](const std::string& der) {
        const auto* data = reinterpret_cast<const unsigned char*>(der.data());
        const crypto::X509CrlPtr crl{d2i_X509_CRL(nullptr, &data, static_cast<long>(der.size()))};
        REQUIRE(crl);
        return std::max(sk_X509_REVOKED_num(X509_CRL_get_REVOKED(crl.get())), 0);
    };
    CHECK(revoked_in(first) == 0);
    const auto encoded = base::to_base64url(chain.front().der());
    CHECK(lab.post("/revokeCert", {{"certificate", encoded}}).status == 200);
    const auto second = lab.get("/crl").text;
    CHECK(revoked_in(second) == 1);
    CHECK(lab.get("/crl").text == second);
    CHECK(lab.post("/revokeCert", {{"certificate", encoded}}).problem() == "alreadyRevoked");
}

TEST_CASE("CA: a resource that the fault slow delays holds up no other")
{
    CaLab lab;
    lab.register_account();
    REQUIRE(lab.faults.set("slow=newAuthz:5:1"));
    const auto answer = std::make_shared<std::promise<http::ServerResponse>>();
    auto slow = answer->get_future();
    const Json wanted{{"identifier", {{"type", "dns"}, {"value", "example.com"}}}};
    lab.service->handle(lab.signed_post("/newAuthz", wanted.dump()),
                        [answer](http::ServerResponse response) { answer->set_value(std::move(response)); });
    CHECK(lab.order({"a.example.com"}).status == 201);
    CHECK(slow.wait_for(std::chrono::milliseconds{100}) == std::future_status::timeout);
    CHECK(slow.get().status == 201);
}
