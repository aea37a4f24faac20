// TLVs and the values of those that have structure.
#include <cstddef>
#include <cstdlib>

#include "teap/crypto_binding.h"

extern "C" int fuzz_teap_tlv(const unsigned char* data, std::size_t size)
{
    using namespace acmetool;
    const auto tlvs = teap::parse_tlvs({data, size});
    if (!tlvs) return 0;
    // Reserved bits are not kept; what was read and written is read again as the same.
    const auto again = teap::parse_tlvs(teap::encode(*tlvs));
    if (!again || *again != *tlvs) std::abort();
    static_cast<void>(teap::describe(*tlvs).size());
    static_cast<void>(teap::check_duplicates(*tlvs).has_value());
    static_cast<void>(teap::unknown_mandatory(*tlvs, {}));
    for (const auto& tlv : *tlvs) {
        static_cast<void>(teap::parse_result(tlv).has_value());
        static_cast<void>(teap::parse_error(tlv).has_value());
        static_cast<void>(teap::parse_request_action(tlv).has_value());
        static_cast<void>(teap::parse_trusted_server_root(tlv).has_value());
        static_cast<void>(teap::parse_retry_after(tlv).has_value());
        static_cast<void>(teap::parse_crypto_binding(tlv).has_value());
    }
    return 0;
}
