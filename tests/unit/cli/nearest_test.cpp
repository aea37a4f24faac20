#include "cli/nearest.h"

#include <doctest/doctest.h>

using acmetool::cli::nearest;

TEST_CASE("FLD-U16: the nearest word: few edits for its length, a swap is one, capitals are none")
{
    const std::vector<std::string> verbs{"new", "authorize", "finalize", "download",
                                         "run", "renew",     "status"};
    CHECK(nearest("dowload", verbs) == "download");
    CHECK(nearest("finalise", verbs) == "finalize");
    CHECK(nearest("nwe", verbs) == "new");
    CHECK(nearest("rnu", verbs) == "run");
    CHECK(nearest("Status", verbs) == "status");
    CHECK(nearest("STAUTS", verbs) == "status");
    const std::vector<std::string> options{"new-key",    "key-out", "key",
                                           "dns-update", "cert",    "password-file"};
    CHECK(nearest("newkey", options) == "new-key");
    CHECK(nearest("keyout", options) == "key-out");
    CHECK(nearest("passwordfile", options) == "password-file");
}

TEST_CASE("FLD-U16: no suggestion where too much differs")
{
    const std::vector<std::string> verbs{"new", "run", "show"};
    CHECK(nearest("help", verbs).empty());
    CHECK(nearest("list", verbs).empty());
    CHECK(nearest("x", verbs).empty());
    CHECK(nearest("", verbs).empty());
    CHECK(nearest(std::string(10'000, 'n'), verbs).empty());
    CHECK(nearest("new", {}).empty());
}

TEST_CASE("FLD-U16: the beginning of one word means that word, the beginning of two means neither")
{
    const std::vector<std::string> options{"password-file", "password-hash", "challenge-password", "ca-file"};
    CHECK(nearest("chall", options) == "challenge-password");
    CHECK(nearest("ca", options) == "ca-file");
    CHECK(nearest("passwo", options).empty());
}
