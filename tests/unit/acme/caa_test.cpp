#include <doctest/doctest.h>

#include "acme/caa.h"
#include "acme/directory.h"

using namespace acmetool;

namespace
{

const std::string kAccount = "https://ca.example/acct/1";

/// Why `records` keep the account out, for dns-01; empty: they let it in.
std::string objection(const std::vector<acme::CaaRecord>& records, bool wildcard = false)
{
    return acme::caa_objection(records, {{"ca.example", "ca.example.net"}, kAccount, {"dns-01"}, wildcard})
        .value_or("");
}

} // namespace

TEST_CASE("EXT-06: CAA records let a CA issue, or do not (RFC 8659 section 4)")
{
    CHECK(objection({}).empty());
    CHECK(objection({{0, "iodef", "mailto:a@b.example"}}).empty());
    CHECK(objection({{0, "issue", "ca.example"}}).empty());
    CHECK(objection({{0, "issue", " CA.Example ; "}}).empty());
    CHECK(objection({{0, "issue", "other.example"}, {0, "issue", "ca.example.net"}}).empty());
    CHECK(objection({{0, "issue", "other.example"}, {0, "issue", "\x1b.example"}}) ==
          "they name other.example, ?.example");
    CHECK(objection({{0, "issue", ";"}}) == "they allow no CA to issue");
    CHECK(objection({{0, "issue", ""}}) == "they allow no CA to issue");
    CHECK(objection({{0, "issue", "ca.example; what is this"}}) == "they allow no CA to issue");
    CHECK(objection({{128, "tbs", "Unknown"}, {0, "issue", "ca.example"}}).find("tbs") != std::string::npos);
    CHECK(objection({{0, "tbs", "Unknown"}, {128, "issue", "ca.example"}}).empty());
}

TEST_CASE("EXT-06: issuewild counts for wildcards alone, and alone for them")
{
    const std::vector<acme::CaaRecord> wild{{0, "issue", "ca.example"}, {0, "issuewild", ";"}};
    CHECK(objection(wild).empty());
    CHECK(objection(wild, true) == "they allow no CA to issue");
    CHECK(objection({{0, "issuewild", ";"}}).empty());
    CHECK(objection({{0, "issue", "ca.example"}}, true).empty());
    CHECK(objection({{0, "issue", "other.example"}, {0, "issuewild", "ca.example"}}, true).empty());
}

TEST_CASE("EXT-06: accounturi and validationmethods of CAA records (RFC 8657)")
{
    const auto issue = [](const std::string& parameters) {
        return objection({{0, "issue", "ca.example; " + parameters}});
    };
    CHECK(issue("accounturi=" + kAccount).empty());
    CHECK(issue("AccountURI = " + kAccount + " ; validationmethods=http-01,dns-01; other=1").empty());
    CHECK(issue("accounturi=" + kAccount + "0") == "they only allow another account of this CA to issue");
    CHECK(issue("accounturi=" + kAccount + "; accounturi=" + kAccount) ==
          "they only allow another account of this CA to issue");
    CHECK(issue("validationmethods=http-01") == "they do not allow the validation method dns-01");
    CHECK(issue("validationmethods=") == "they do not allow the validation method dns-01");
    // The account in one record, the method in another: neither lets it in.
    CHECK(objection({{0, "issue", "ca.example; validationmethods=http-01; accounturi=" + kAccount},
                     {0, "issue", "ca.example; validationmethods=dns-01; accounturi=" + kAccount + "0"}}) ==
          "they do not allow the validation method dns-01");
}

TEST_CASE("EXT-06: caaIdentities of the directory; what is no name is left out")
{
    const auto directory = acme::parse_directory(
        R"({"newNonce":"https://ca.example/n","newAccount":"https://ca.example/a","newOrder":"https://ca.example/o",
            "meta":{"caaIdentities":["CA.Example.",7,"a\"b","x; y","","ca.example.net"]}})",
        "https://ca.example/dir");
    REQUIRE(directory);
    CHECK(directory->caa_identities == std::vector<std::string>{"ca.example", "ca.example.net"});
}
