// Certs-only messages.
#include <cstddef>

#include "crypto/cms.h"

using namespace acmetool;

extern "C" int fuzz_certs_only(const unsigned char* data, std::size_t size)
{
    if (const auto certificates = crypto::parse_certs_only({data, size}))
        for (const auto& certificate : *certificates) {
            static_cast<void>(certificate.identifiers().size());
            static_cast<void>(certificate.der().size());
        }
    return 0;
}
