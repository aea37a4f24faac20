#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "acme/authorization.h"
#include "acme/directory.h"
#include "acme/fulfil.h"
#include "acme/problem.h"
#include "base/word.h"
#include "dns/name.h"

using namespace acmetool;
using base::Json;

namespace
{

constexpr auto kUrl = "https://ca.example/authz/1";

Json object(const Json& identifier)
{
    return {{"status", "pending"}, {"identifier", identifier}};
}

std::string reason(const Json& authorization, const acme::AuthorizationScope& scope)
{
    const auto parsed = acme::parse_authorization(authorization.dump(), kUrl, scope);
    if (parsed) return {};
    CHECK(parsed.error().code == Errc::protocol);
    CHECK(parsed.error().message.size() < 1000);
    CHECK(parsed.error().message.find_first_of("\n\x1b") == std::string::npos);
    return parsed.error().reason.word();
}

Json dns_name(const std::string& value)
{
    return {{"type", "dns"}, {"value", value}};
}

} // namespace

TEST_CASE("SEC-15: an authorization is for a name of the order, a wildcard's base or a parent, or is none "
          "(ACME-45a, PRE-11a)")
{
    const auto order = acme::scope_of_order(
        {{"dns", "*.wild.example.com"}, {"dns", "www.example.com"}, {"ip", "2001:db8::1"}});
    for (const auto* name : {"www.example.com", "WWW.example.com.", "wild.example.com", "example.com", "com"})
        CHECK(reason(object(dns_name(name)), order).empty());
    CHECK(reason(object({{"type", "ip"}, {"value", "2001:0DB8:0::1"}}), order).empty());
    for (const auto& name :
         {std::string{"evil.invalid"}, std::string{"-rf"}, std::string{"$(reboot)"},
          std::string{"a.www.example.com"}, std::string{"xwww.example.com"},
          std::string{"www.example.com\nupdate"}, std::string{"www.example.com\0", 16},
          std::string(100'000, 'a'), std::string{}, std::string{"."}, std::string{"2001:db8::1"}})
        CHECK(reason(object(dns_name(name)), order) == "otherIdentifier");
    for (const auto& identifier :
         {Json{{"type", "ip"}, {"value", "2001:db8::2"}}, Json{{"type", "ip"}, {"value", "www.example.com"}},
          Json{{"type", "email"}, {"value", "www.example.com"}}})
        CHECK(reason(object(identifier), order) == "otherIdentifier");
    for (const auto& identifier : {Json{}, Json("www.example.com"), Json{{"type", "dns"}},
                                   Json{{"type", "dns"}, {"value", Json::array({"www.example.com"})}}})
        CHECK(reason(object(identifier), order) == "badAuthorization");
}

TEST_CASE("SEC-15: a pre-authorization is for just the name that was asked for (ACME-45a)")
{
    const auto scope = acme::scope_of_name("www.example.com");
    CHECK(reason(object(dns_name("www.example.com")), scope).empty());
    CHECK(reason(object(dns_name("example.com")), scope) == "otherIdentifier");
    CHECK(reason(object(dns_name("a.www.example.com")), scope) == "otherIdentifier");
    CHECK(reason(object({{"type", "ip"}, {"value", "192.0.2.1"}}), acme::scope_of_name("192.0.2.1")).empty());
}

TEST_CASE(
    "SEC-15: states and types are words; the wildcard flag counts where a wildcard was ordered (PRE-08b)")
{
    const auto scope = acme::scope_of_order({{"dns", "*.a.example"}, {"dns", "b.example"}});
    auto authorization = object(dns_name("b.example"));
    authorization["status"] = "\x1b[2J";
    CHECK(reason(authorization, scope) == "badAuthorization");
    authorization["status"] = "word-of_the_future2";
    CHECK(reason(authorization, scope).empty());
    authorization["wildcard"] = true;
    CHECK_FALSE(acme::parse_authorization(authorization.dump(), kUrl, scope)->wildcard);
    authorization["identifier"] = dns_name("a.example");
    CHECK(acme::parse_authorization(authorization.dump(), kUrl, scope)->wildcard);
    for (const auto& flag : {Json(false), Json("true"), Json()}) {
        auto without = authorization;
        without["wildcard"] = flag;
        CHECK_FALSE(acme::parse_authorization(without.dump(), kUrl, scope)->wildcard);
        without.erase("wildcard");
        CHECK_FALSE(acme::parse_authorization(without.dump(), kUrl, scope)->wildcard);
    }
    authorization["challenges"] = {{{"type", "-rf"}, {"url", "https://ca.example/c"}},
                                   {{"type", "dns-01"}, {"url", "https://ca.example/c"}, {"status", "\n"}},
                                   {{"type", "dns-01"}, {"url", ""}},
                                   "dns-01",
                                   {{"type", "new-99"}, {"url", "https://ca.example/c"}}};
    const auto parsed = acme::parse_authorization(authorization.dump(), kUrl, scope);
    REQUIRE(parsed);
    REQUIRE(parsed->challenges.size() == 1);
    CHECK(parsed->challenges.front().type == "new-99");
    for (const auto* word : {"a", "dns-01", "Z9_", "0"})
        CHECK(base::is_word(word));
    for (const auto& word : {std::string{}, std::string{"-rf"}, std::string{"a b"}, std::string{"a\0", 2},
                             std::string{"a/b"}, std::string(65, 'a'), std::string{"\xc3\xbc"}})
        CHECK_FALSE(base::is_word(word));
}

TEST_CASE("SEC-15: no DNS challenge is used for an address, whatever the CA offers")
{
    auto authorization = object({{"type", "ip"}, {"value", "192.0.2.1"}});
    authorization["challenges"] = {
        {{"type", "dns-01"}, {"url", "https://ca.example/c"}, {"token", std::string(43, 'a')}}};
    const auto parsed =
        acme::parse_authorization(authorization.dump(), kUrl, acme::scope_of_name("192.0.2.1"));
    REQUIRE(parsed);
    const auto chosen = acme::choose_challenge(*parsed, nullptr);
    REQUIRE_FALSE(chosen);
    CHECK(chosen.error().reason.word() == "noUsableChallenge");
    CHECK_FALSE(dns::is_ip_literal(std::string_view{"192.0.2.1\0evil", 14}));
}

TEST_CASE(
    "SEC-15: URLs of a server are of RFC 3986's characters and bounded; odd profiles are none (ACME-45c)")
{
    for (const auto& url :
         {std::string{"https://ca.example/a b"}, std::string{"https://ca.example/\x1b[2J"},
          std::string{"https://ca.example/a\n"}, std::string{"https://ca.example/\xc3\xbc"},
          std::string{"https://ca.example/\"x\""}, std::string{"https://ca.example/<x>"},
          std::string{"https://ca.example/`x`"}, std::string{"https://ca.example/a\\b"},
          std::string{"https://ca.example\0/", 20}, "https://ca.example/" + std::string(5000, 'a')})
        CHECK(acme::origin_of(url).empty());
    CHECK(acme::origin_of("https://ca.example/a?b=c&d=%20;e#f") == "https://ca.example");
    const auto directory = acme::parse_directory(
        R"({"newNonce":"https://ca.example/n","newAccount":"https://ca.example/a","newOrder":"https://ca.example/o",
            "meta":{"profiles":{"good":"\u001b[2J","two words":"","\u001b":"","":""}}})",
        "https://ca.example/directory");
    REQUIRE(directory);
    CHECK(directory->profiles.size() == 1);
    CHECK(directory->profiles.at("good") == "?[2J");
}

TEST_CASE("SEC-15: a problem's type is a code for scripts where it is a word, and only there")
{
    const auto code = [](const std::string& word) {
        acme::Problem problem;
        problem.type = "urn:ietf:params:acme:error:" + word;
        return acme::to_error(problem, "{}", 403, std::nullopt).reason.word();
    };
    CHECK(code("rejectedIdentifier") == "rejectedIdentifier");
    for (const auto* word : {"", "two words", "a\nb", "\x1b[2J", "X", "a-b", "9"})
        CHECK(code(word).empty());
}
