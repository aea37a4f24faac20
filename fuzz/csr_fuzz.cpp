// PKCS#10 requests in PEM and DER, and what a registration authority reads of them beyond the signature.
#include <cstddef>
#include <string_view>

#include "crypto/csr.h"
#include "ra/csr_policy.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size)
{
    namespace crypto = acmetool::crypto;
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    if (const auto csr = crypto::parse_csr(text)) {
        static_cast<void>(csr->to_pem().size());
        static_cast<void>(crypto::require_identifiers(*csr).has_value());
    }
    // A changed request has no right signature, so the octets go in as they are.
    static const auto key = crypto::generate_key("ec:P-256");
    const crypto::Csr unsigned_csr{.der = {data, data + size},
                                   .key = *key,
                                   .identifiers = {},
                                   .common_name = {},
                                   .other_names = {},
                                   .challenge_password = {}};
    static_cast<void>(acmetool::ra::judge_contents(unsigned_csr, {"2.5.4.10"}).refused.has_value());
    static_cast<void>(acmetool::ra::can_be_allowed(text));
    return 0;
}
