#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "acme/account_name.h"
#include "acme/directory.h"
#include "acme/fulfil.h"
#include "acme/persistent_record.h"
#include "acme/solver_options.h"
#include "base/base64url.h"
#include "crypto/digest.h"
#include "jose/jwk.h"

using namespace acmetool;

namespace
{

acme::Authorization authorization(const std::string& challenges)
{
    return *acme::parse_authorization(
        R"({"status":"pending","identifier":{"type":"dns","value":"domain.com"},"challenges":[)" +
            challenges + R"(]})",
        "https://ca.example/authz/1", acme::scope_of_name("domain.com"));
}

std::string challenge(const std::string& type, const std::string& token)
{
    return R"({"type":")" + type + R"(","url":"https://ca.example/c/)" + type + R"(","token":")" + token +
           "\"}";
}

acme::AccountAt account_with(const crypto::Key& key, const acme::Directory& directory = {})
{
    return *acme::account_at(key, "https://ca.example/acct/123", directory);
}

} // namespace

TEST_CASE("ACME-25a, ACME-26, CHAL-01b: a token is base64url of 22 characters or more before anything is "
          "made of it")
{
    const auto key = *crypto::generate_key("ec:P-256");
    const std::string good = "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0";
    for (const auto& token :
         {std::string{"../../../../etc/passwd/x"}, std::string(21, 'a'), std::string(1001, 'a'), good + "=",
          good + "\\n", good.substr(0, 30) + "/evil", good + " "}) {
        CAPTURE(token);
        const auto pending = authorization(challenge("http-01", token));
        const auto task = acme::task_for(pending, pending.challenges.front(), account_with(key));
        REQUIRE_FALSE(task);
        CHECK(task.error().reason.word() == "badToken");
    }
    const auto pending = authorization(challenge("dns-01", good));
    const auto task = acme::task_for(pending, pending.challenges.front(), account_with(key));
    REQUIRE(task);
    CHECK(task->key_authorization == good + "." + *jose::thumbprint(key));
    CHECK(task->record_name == "_acme-challenge.domain.com");
    const auto& key_authorization = task->key_authorization;
    CHECK(task->record_value == base::to_base64url(crypto::sha256(as_bytes(key_authorization))));
    CHECK(task->record_value.size() == 43);
}

TEST_CASE("ACME-23a, ACME-38b: the challenge is found wherever it stands, unknown types beside it")
{
    const std::string token(43, 'a');
    const auto listed = authorization(R"({"type":"new-99","url":"https://ca.example/c/9","extra":{}},)" +
                                      challenge("http-01", token) + "," + challenge("dns-01", token));
    const auto chosen = acme::choose_challenge(listed, nullptr);
    REQUIRE(chosen);
    CHECK(chosen->type == "dns-01");
    const auto none =
        acme::choose_challenge(authorization(R"({"type":"new-99","url":"https://ca.example/c/9"})"), nullptr);
    REQUIRE_FALSE(none);
    CHECK(none.error().reason.word() == "noUsableChallenge");
    CHECK(none.error().message.find("new-99") != std::string::npos);
}

TEST_CASE("PRE-07: meta.subdomainAuthAllowed of the directory; absent, or no boolean, is false")
{
    const auto read = [](const std::string& meta) {
        return acme::parse_directory(
            R"({"newNonce":"https://ca.example/n","newAccount":"https://ca.example/a",
            "newOrder":"https://ca.example/o")" +
                meta + "}",
            "https://ca.example/directory");
    };
    CHECK_FALSE(read("")->subdomain_auth_allowed);
    CHECK_FALSE(read(R"(,"meta":{})")->subdomain_auth_allowed);
    CHECK_FALSE(read(R"(,"meta":{"subdomainAuthAllowed":"true"})")->subdomain_auth_allowed);
    CHECK(read(R"(,"meta":{"subdomainAuthAllowed":true})")->subdomain_auth_allowed);
    CHECK(read("")->new_authz.empty());
    CHECK(read(R"(,"newAuthz":"http://ca.example/z")").error().reason.word() == "notHttps");
}

TEST_CASE("SEC-05: a task in a document names the record of its own identifier, or nothing")
{
    const auto key = *crypto::generate_key("ec:P-256");
    const auto pending = authorization(challenge("dns-01", std::string(43, 'a')));
    const auto good = acme::to_json(*acme::task_for(pending, pending.challenges.front(), account_with(key)));
    REQUIRE(acme::parse_task(good));
    for (const auto& [member, value] : {std::pair{"/record/name", "_acme-challenge.other.com"},
                                        {"/record/name", "domain.com"},
                                        {"/record/value", "v=spf1 -all"},
                                        {"/token", "../x"},
                                        {"/keyAuthorization", "another.thumbprint"},
                                        {"/identifier", "under_score.com"}}) {
        CAPTURE(member);
        auto changed = good;
        changed[base::Json::json_pointer{member}] = value;
        const auto task = acme::parse_task(changed);
        REQUIRE_FALSE(task);
        CHECK(task.error().code == Errc::bad_input);
    }
}

TEST_CASE(
    "CHAL-13a: dns-persist-01 in the spelling of every draft; the directory says what names the account")
{
    const auto key = *crypto::generate_key("ec:P-256");
    const auto task_of = [&](const std::string& members, const acme::Directory& directory) {
        const auto pending =
            authorization(R"({"type":"dns-persist-01","url":"https://ca.example/c/1",)" + members + "}");
        return acme::task_for(pending, pending.challenges.front(), account_with(key, directory));
    };
    const std::string plain = "ca.example; accounturi=https://ca.example/acct/123";
    CHECK(task_of(R"("issuer-domain-names":["ca.example"])", {})->record_value == plain);
    CHECK(task_of(R"("issuerDomainNames":["ca.example"])", {})->record_value == plain);
    const auto named =
        task_of(R"("issuer-domain-names":["ca.example"],"accounturi":"https://ca.example/a/9")", {});
    CHECK(named->record_value == "ca.example; accounturi=https://ca.example/a/9");
    acme::Directory directory;
    directory.account_hash_prefix = "https://ca.example/account-hash/";
    const auto hashed = task_of(R"("issuerDomainNames":["ca.example"])", directory);
    const auto uri = [&](std::string_view domain) {
        return acme::hashed_account_uri(directory.account_hash_prefix, domain, *jose::thumbprint(key),
                                        "https://ca.example/acct/123");
    };
    REQUIRE(hashed);
    CHECK(hashed->record_value == "ca.example; accounturi=" + uri("domain.com"));
    CHECK(hashed->account_uris == std::vector<std::string>{uri("domain.com"), uri("*")});
    CHECK(acme::parse_task(acme::to_json(*hashed))->account_uris == hashed->account_uris);
    // Names of the directory that a challenge lacks, and names of a challenge that caaIdentities lacks.
    directory.issuer_domain_names = {"ca.example", "other.example"};
    CHECK(task_of(R"("issuerDomainNames":["ca.example"])", directory).error().reason.word() == "badIssuers");
    directory.issuer_domain_names = {"ca.example"};
    directory.caa_identities = {"other.example"};
    CHECK(task_of(R"("issuerDomainNames":["ca.example"])", directory).error().reason.word() == "badIssuers");
    directory.caa_identities.emplace_back("ca.example");
    CHECK(task_of(R"("issuerDomainNames":["ca.example"])", directory));
}

TEST_CASE("CHAL-13a: members of meta for dns-persist-01 are taken as the draft has them, or not at all")
{
    const auto read = [](const std::string& meta) {
        return *acme::parse_directory(
            R"({"newNonce":"https://ca.example/n","newAccount":"https://ca.example/a",
            "newOrder":"https://ca.example/o","meta":{)" +
                meta + "}}",
            "https://ca.example/directory");
    };
    CHECK(read(R"("accountHashPrefix":"https://ca.example/h/")").account_hash_prefix ==
          "https://ca.example/h/");
    for (const auto* bad : {R"("x\u0000")", R"("http://ca.example/h/")", "7", R"("https://ca.example/a b")"})
        CHECK(read(R"("accountHashPrefix":)" + std::string{bad}).account_hash_prefix.empty());
    CHECK(read(R"("issuerDomainNames":["a.example","b.example"])").issuer_domain_names.size() == 2);
    for (const auto* bad : {"[]", R"(["A.example"])", R"(["a.example."])", R"(["a.example",7])", "7",
                            R"(["a","b","c","d","e","f","g","h","i","j","k"])"})
        CHECK(read(R"("issuerDomainNames":)" + std::string{bad}).issuer_domain_names.empty());
}

TEST_CASE("CHAL-14: dns-account-01 has the draft's label; a document cannot name another record")
{
    CHECK(acme::account_validation_name("https://example.com/acme/acct/ExampleAccount", "*.example.org") ==
          "_ujmmovf2vn55tgye._acme-challenge.example.org");
    const auto key = *crypto::generate_key("ec:P-256");
    const auto both = authorization(challenge("dns-account-01", std::string(43, 'a')) + "," +
                                    challenge("dns-01", std::string(43, 'a')));
    CHECK(acme::choose_challenge(both, nullptr)->type == "dns-01");
    const auto task = acme::task_for(both, both.challenges.front(), account_with(key));
    REQUIRE(task);
    CHECK(task->record_name == acme::account_validation_name("https://ca.example/acct/123", "domain.com"));
    CHECK(task->record_value.size() == 43);
    const auto good = acme::to_json(*task);
    CHECK(acme::parse_task(good)->record_name == task->record_name);
    for (const auto* name :
         {"_acme-challenge.domain.com", "_ujmmovf2vn55tgye._acme-challenge.other.com",
          "ujmmovf2vn55tgye._acme-challenge.domain.com", "_ujmmovf2vn55tgy1._acme-challenge.domain.com",
          "_ujmmovf2vn55tgyea._acme-challenge.domain.com", "_", "_ujmmovf2vn55tgye.domain.com"}) {
        CAPTURE(name);
        auto changed = good;
        changed["record"]["name"] = name;
        CHECK_FALSE(acme::parse_task(changed));
    }
    auto changed = good;
    changed["type"] = "dns-01";
    CHECK_FALSE(acme::parse_task(changed));
}
