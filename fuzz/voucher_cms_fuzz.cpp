// Signed vouchers in CMS.
#include <cstddef>

#include "base/bytes.h"
#include "brski/envelope.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size)
{
    using namespace acmetool;
    using namespace acmetool::brski;
    if (const auto envelope = parse_envelope({data, size}, Format::cms))
        static_cast<void>(verify_signature(*envelope).has_value());
    return 0;
}
