#include <doctest/doctest.h>

#include <string>

#include "ra/users.h"

using namespace acmetool;

namespace
{

const std::string kMd5(32, 'a');
const std::string kSha256(64, 'B');

Result<ra::DigestUsers> parse(const std::string& text)
{
    return ra::parse_digest_users(text, "users", "est");
}

} // namespace

TEST_CASE("FLD-E15: the file of Digest users is that of htdigest with names; the length of H(A1) tells the "
          "algorithm")
{
    const auto users = parse("# by htdigest\n\nswan:est:" + kMd5 + ":Swan.Example, b.example\n" +
                             "swan:est:" + kSha256 + ":swan.example,b.example\nnew:est:" + kSha256 + ":\n");
    REQUIRE(users);
    REQUIRE(users->size() == 2);
    const auto& swan = users->at("swan");
    CHECK(swan.md5 == kMd5);
    CHECK(swan.sha256 == std::string(64, 'b'));
    CHECK(swan.names == std::vector<std::string>{"swan.example", "b.example"});
    CHECK(users->at("new").md5.empty());
    CHECK(users->at("new").names.empty());
}

TEST_CASE("OPR-52: a byte order mark is not part of the first user's name")
{
    const auto digest = parse("\xEF\xBB\xBFswan:est:" + kMd5 + ":a.example\n");
    REQUIRE(digest);
    CHECK(digest->contains("swan"));
    const auto basic = ra::parse_users("\xEF\xBB\xBFswan:$y$x:a.example\n", "users");
    REQUIRE(basic);
    CHECK(basic->contains("swan"));
}

TEST_CASE("FLD-E15: what is wrong in the file of Digest users is told with its line")
{
    const auto problem = [](const std::string& text) { return parse("\n" + text).error().message; };
    CHECK(problem("swan:est:" + kMd5) == "users: line 2: not user:realm:hash:names");
    CHECK(problem(":est:" + kMd5 + ":a.example") == "users: line 2: not user:realm:hash:names");
    CHECK(problem("swan:home:" + kMd5 + ":a.example") == R"(users: line 2: realm "home" is not "est")");
    for (const auto& hash : {std::string{}, std::string{"$y$x"}, kMd5 + "a", std::string(64, 'g')})
        CHECK(problem("swan:est:" + hash + ":a.example") ==
              "users: line 2: not the hash of user:realm:password in hexadecimal");
    const auto line = "swan:est:" + kMd5 + ":a.example\n";
    CHECK(problem(line + line) == "users: line 3: the user occurs twice with this algorithm");
    CHECK(problem(line + "swan:est:" + kSha256 + ":b.example") ==
          "users: line 3: user swan has other names in another line");
    CHECK(problem("swan:est:" + kMd5 + ":a_b!").starts_with("users: line 2: "));
    CHECK(parse("swan:est::a").error().code == Errc::config);
}
