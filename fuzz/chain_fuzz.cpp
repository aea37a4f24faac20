// Certificate chains.
#include <cstddef>
#include <string_view>

#include "crypto/cert.h"

extern "C" int fuzz_chain(const unsigned char* data, std::size_t size)
{
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    if (const auto chain = acmetool::crypto::parse_pem_chain(text))
        for (const auto& certificate : *chain) {
            static_cast<void>(certificate.identifiers().size());
            static_cast<void>(certificate.not_after());
            static_cast<void>(certificate.serial().size());
        }
    return 0;
}
