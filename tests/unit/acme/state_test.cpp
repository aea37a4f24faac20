#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include <stdlib.h>

#include "acme/state.h"

using namespace acmetool;

TEST_CASE("caches that a power cut left empty are as if they were not there")
{
    char name[] = "/tmp/state-test.XXXXXX";
    REQUIRE(mkdtemp(name) != nullptr);
    const std::string folder{name};
    auto state = acme::StateDirectory::open(folder, "");
    REQUIRE(state);
    const base::TimePoint now{std::chrono::seconds{1'700'000'000}};
    const std::string url = "https://ca.example/directory";

    state->cache_directory(url, "{}", now);
    state->keep_nonces(url, {"bm9uY2U"});
    CHECK(state->cached_directory(url, now) == "{}");
    CHECK(state->take_nonces(url) == std::vector<std::string>{"bm9uY2U"});
    CHECK(state->take_nonces(url).empty());

    for (const auto* cache : {"/directory.json", "/nonces.json"})
        std::ofstream{folder + cache, std::ios::trunc}.flush();
    CHECK_FALSE(state->cached_directory(url, now));
    CHECK(state->take_nonces(url).empty());
    std::filesystem::remove_all(folder);
}
