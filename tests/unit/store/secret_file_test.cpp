#include <doctest/doctest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "store/secret_file.h"

using namespace acmetool;

namespace
{

/// A file with a secret, removed at the end.
struct SecretOnDisk {
    std::string folder;
    std::string path;
    SecretOnDisk()
    {
        std::string name = "/tmp/acmetool-secret-XXXXXX";
        folder = mkdtemp(name.data());
        path = folder + "/secret";
        std::ofstream{path} << "secret\n";
    }
    ~SecretOnDisk() { std::filesystem::remove_all(folder); }
    SecretOnDisk(const SecretOnDisk&) = delete;
    SecretOnDisk& operator=(const SecretOnDisk&) = delete;
};

} // namespace

TEST_CASE("FLD-A8, FLD-U14: what others can access is exposed, and ours unless somebody else provides it")
{
    const SecretOnDisk secret;
    for (const int mode : {0600, 0400, 0700}) {
        chmod(secret.path.c_str(), static_cast<mode_t>(mode));
        CHECK_FALSE(store::exposure_of(secret.path));
    }
    for (const int mode : {0640, 0440, 0604, 0644, 0660, 0602}) {
        chmod(secret.path.c_str(), static_cast<mode_t>(mode));
        const auto exposure = store::exposure_of(secret.path);
        REQUIRE(exposure);
        CHECK(exposure->is_ours);
        CHECK(exposure->hint == "chmod 600 " + secret.path);
    }
    // As systemd provides it; a folder whose name only begins alike is another one.
    setenv("CREDENTIALS_DIRECTORY", secret.folder.c_str(), 1);
    CHECK_FALSE(store::exposure_of(secret.path)->is_ours);
    setenv("CREDENTIALS_DIRECTORY", secret.folder.substr(0, secret.folder.size() - 1).c_str(), 1);
    CHECK(store::exposure_of(secret.path)->is_ours);
    unsetenv("CREDENTIALS_DIRECTORY");
    if (geteuid() == 0) {
        REQUIRE(chown(secret.path.c_str(), 65534, 65534) == 0);
        CHECK_FALSE(store::exposure_of(secret.path)->is_ours);
    }
    // No file, no regular one, no path.
    CHECK_FALSE(store::exposure_of(secret.folder + "/nothing"));
    CHECK_FALSE(store::exposure_of("/dev/null"));
    CHECK_FALSE(store::exposure_of(""));
}
