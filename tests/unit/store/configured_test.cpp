#include <doctest/doctest.h>

#include <filesystem>

#include <stdlib.h>

#include "../crypto/certificates.h"
#include "store/atomic_file.h"
#include "store/configured.h"

using namespace acmetool;

namespace
{

struct ConfiguredFolder {
    std::string path;
    ConfiguredFolder()
    {
        std::string pattern = (std::filesystem::temp_directory_path() / "acmetool-conf-XXXXXX").string();
        path = mkdtemp(pattern.data());
    }
    ~ConfiguredFolder() { std::filesystem::remove_all(path); }
    std::string write(const std::string& name, std::string_view text) const
    {
        REQUIRE(store::write_atomically(path + "/" + name, text, 0600).has_value());
        return path + "/" + name;
    }
};

} // namespace

TEST_CASE("what a configuration names is read")
{
    const ConfiguredFolder folder;
    const auto identity = test::make_identity("device");
    CHECK(store::read_configured(folder.write("text", "words\n")).value() == "words\n");
    CHECK(store::read_configured_secret(folder.path + "/text")->reveal() == "words\n");
    const auto certificates =
        store::read_configured_certificates(folder.write("pem", identity.certificate.to_pem()));
    REQUIRE(certificates);
    CHECK(certificates->front().sha256() == identity.certificate.sha256());
    const auto key = store::read_configured_key(folder.write("key", identity.key.to_pem()->reveal()));
    REQUIRE(key);
    CHECK(key->same_public_key(identity.key));
}

TEST_CASE("what is wrong with such a file is a fault of the configuration, and the option is named")
{
    const ConfiguredFolder folder;
    const auto nothing = folder.path + "/absent";
    const auto junk = folder.write("junk", "junk");
    const auto says = [](const Error& error, std::string_view beginning) {
        CAPTURE(error.message);
        CHECK(error.code == Errc::config);
        CHECK(error.message.starts_with(beginning));
    };
    says(store::read_configured(nothing).error(), nothing);
    says(store::read_configured(nothing, "--file").error(), "--file: " + nothing);
    says(store::read_configured_secret(nothing, "--file").error(), "--file: ");
    says(store::read_configured_certificates(nothing, "--cert").error(), "--cert: ");
    says(store::read_configured_certificates(junk, "--cert").error(), "--cert: ");
    says(store::read_configured_key(nothing, "--key").error(), "--key: ");
    CHECK_FALSE(store::read_configured_key(junk));
}
