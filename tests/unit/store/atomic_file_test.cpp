#include "store/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <string>

#include <doctest/doctest.h>

using namespace acmetool;

TEST_CASE("SEC-25: a pipe is written to by the names that a shell has for it")
{
    int ends[2] = {-1, -1};
    REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
    for (const std::string folder : {"/dev/fd/", "/proc/self/fd/"}) {
        CHECK(store::write_atomically(folder + std::to_string(ends[1]), "text", 0644));
        char read_back[8] = {};
        fcntl(ends[0], F_SETFL, O_NONBLOCK);
        CHECK(read(ends[0], read_back, sizeof read_back) == 4);
        CHECK(std::string{read_back} == "text");
    }
    close(ends[0]);
    close(ends[1]);
}
