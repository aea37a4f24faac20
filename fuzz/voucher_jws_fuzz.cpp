// Signed vouchers in JWS.
#include <cstddef>

#include "base/bytes.h"
#include "brski/envelope.h"

extern "C" int fuzz_voucher_jws(const unsigned char* data, std::size_t size)
{
    using namespace acmetool;
    using namespace acmetool::brski;
    if (const auto envelope = parse_envelope({data, size}, Format::jws))
        static_cast<void>(verify_signature(*envelope).has_value());
    return 0;
}
