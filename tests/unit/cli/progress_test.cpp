#include "cli/progress.h"

#include <algorithm>

#include <doctest/doctest.h>

using namespace acmetool;

namespace
{

std::string line(const std::string& what, std::chrono::seconds waited, std::chrono::seconds left,
                 std::size_t columns)
{
    const std::chrono::steady_clock::time_point now{std::chrono::hours{1}};
    return cli::progress_line({what, now - waited, now + left}, now, columns);
}

} // namespace

TEST_CASE("FLD-U3: a progress line is narrower than its terminal, and keeps its times")
{
    using std::chrono::seconds;
    CHECK(line("the CA to validate domain.com", seconds{3}, seconds{57}, 80) ==
          "waiting for the CA to validate domain.com: 3 s so far, for 57 s more at most");
    CHECK(line("the CA to validate domain.com", seconds{3}, seconds{57}, 60) ==
          "waiting for the CA to validate domain.com: 3 s so far");
    const std::string name(253, 'a');
    for (const std::size_t columns : {20U, 40U, 60U, 80U, 132U}) {
        const auto cut = line("the CA to validate " + name, seconds{3}, seconds{57}, columns);
        CHECK(cut.size() == columns - 1);
        CHECK(cut.find("..: 3 s so far") != std::string::npos);
    }
    CHECK(line("ca", seconds{3}, seconds{57}, 1).size() < 20);
}

TEST_CASE("FLD-U3: characters are counted, not octets, and none is cut in half")
{
    std::string name;
    for (int i = 0; i < 40; ++i)
        name += "\xC3\xBC";
    const auto cut = line(name, std::chrono::seconds{3}, std::chrono::seconds{5}, 40);
    CHECK(cut.ends_with("\xC3\xBC..: 3 s so far"));
    CHECK(std::count_if(cut.begin(), cut.end(), [](char c) { return (c & 0xC0) != 0x80; }) == 39);
}
