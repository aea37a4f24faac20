#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "acme/directory.h"
#include "acme/fulfil.h"
#include "acme/solver_options.h"
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

} // namespace

TEST_CASE("ACME-26: a token is base64url of 22 characters or more before it gets anywhere")
{
    const auto key = *crypto::generate_key("ec:P-256");
    const std::string good = "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0";
    for (const auto& token :
         {std::string{"../../../../etc/passwd/x"}, std::string(21, 'a'), std::string(1001, 'a'), good + "=",
          good + "\\n", good.substr(0, 30) + "/evil", good + " "}) {
        CAPTURE(token);
        const auto pending = authorization(challenge("http-01", token));
        const auto task = acme::task_for(pending, pending.challenges.front(), key);
        REQUIRE_FALSE(task);
        CHECK(task.error().reason.word() == "badToken");
    }
    const auto pending = authorization(challenge("dns-01", good));
    const auto task = acme::task_for(pending, pending.challenges.front(), key);
    REQUIRE(task);
    CHECK(task->key_authorization == good + "." + *jose::thumbprint(key));
    CHECK(task->record_name == "_acme-challenge.domain.com");
    CHECK(task->record_value.size() == 43);
}

TEST_CASE("ACME-23, ACME-38: the challenge is found wherever it stands, unknown types beside it")
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
    const auto good = acme::to_json(*acme::task_for(pending, pending.challenges.front(), key));
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
