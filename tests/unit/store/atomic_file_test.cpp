#include "store/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
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

TEST_CASE("FLD-A12: an output with a secret is for its owner alone, whatever the old file's mode")
{
    std::string folder = "/tmp/acmetool-output-XXXXXX";
    REQUIRE(mkdtemp(folder.data()) != nullptr);
    const auto path = folder + "/file";
    const auto mode_of = [&] {
        struct stat info {
        };
        return stat(path.c_str(), &info) == 0 ? info.st_mode & 07777 : 0;
    };
    base::Context context;
    REQUIRE(store::write_output(path, "secret", 0600, context));
    CHECK(mode_of() == 0600);
    REQUIRE(chmod(path.c_str(), 0644) == 0);
    REQUIRE(store::write_output(path, "secret", 0600, context));
    CHECK(mode_of() == 0600);
    // What is not an output of a user has the mode that the code gives.
    const auto before = umask(077);
    REQUIRE(store::write_atomically(path, "for a web server", 0644));
    umask(before);
    CHECK(mode_of() == 0644);
    std::filesystem::remove_all(folder);
}
