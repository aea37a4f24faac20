#include <doctest/doctest.h>

#include <set>

#include "base/result.h"

using namespace acmetool;

TEST_CASE("each cause has a word, and the word leads back to it")
{
    std::set<std::string> words;
    for (int i = 1; i <= static_cast<int>(Cause::validation_failed); ++i) {
        const auto cause = static_cast<Cause>(i);
        const std::string word{word_of(cause)};
        CAPTURE(word);
        CHECK_FALSE(word.empty());
        CHECK(cause_of(word) == cause);
        words.insert(word);
    }
    CHECK(words.size() == static_cast<std::size_t>(Cause::validation_failed));
    CHECK(word_of(Cause::other).empty());
}

TEST_CASE("a reason keeps any word, and knows the cause of those that code branches on")
{
    const Reason typed = Cause::bad_nonce;
    CHECK(typed.word() == "badNonce");
    CHECK(typed == Cause::bad_nonce);
    const Reason received = "badNonce"; // from a peer
    CHECK(received == Cause::bad_nonce);
    CHECK(received != Cause::malformed);
    const Reason unknown = "madeUpByTheServer";
    CHECK(unknown.word() == "madeUpByTheServer");
    CHECK(unknown == Cause::other);
    CHECK_FALSE(unknown.empty());
    CHECK(Reason{}.empty());
    CHECK(Reason{} == Cause::other);
}

TEST_CASE("an error is named by its reason, or by its code if it has none")
{
    Error error;
    error.code = Errc::refused;
    CHECK(name_of(error) == "refused");
    error.reason = Cause::caa;
    CHECK(name_of(error) == "caa");
}
