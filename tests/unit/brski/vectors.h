#pragma once

#include "../crypto/certificates.h"

namespace acmetool::test
{

/// A file of the published BRSKI vectors, or nothing where they are not at hand.
inline std::optional<std::string> brski_vector(const std::string& path)
{
    const char* shared = std::getenv("ACMETOOL_SHARED");
    std::ifstream file{std::string{shared != nullptr ? shared : "../shared"} + "/vectors/brski/" + path,
                       std::ios::binary};
    if (!file) return std::nullopt;
    return std::string{std::istreambuf_iterator<char>{file}, {}};
}

} // namespace acmetool::test

/// Declares `name` with the content of a vector; the test case ends here, told, where it is not at hand.
#define ACMETOOL_BRSKI_VECTOR(name, path)                                                                    \
    const auto name##_file = ::acmetool::test::brski_vector(path);                                           \
    if (!name##_file) {                                                                                      \
        MESSAGE("skipped: no published vectors at ACMETOOL_SHARED");                                         \
        return;                                                                                              \
    }                                                                                                        \
    const std::string& name = *name##_file
