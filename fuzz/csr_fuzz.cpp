// PKCS#10 requests in PEM and DER.
#include <cstddef>
#include <string_view>

#include "crypto/csr.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size)
{
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    if (const auto csr = acmetool::crypto::parse_csr(text)) {
        static_cast<void>(csr->to_pem().size());
        static_cast<void>(acmetool::crypto::require_identifiers(*csr).has_value());
    }
    return 0;
}
