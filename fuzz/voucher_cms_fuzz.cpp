// Signed vouchers in CMS.
#include <cstddef>

#include "base/bytes.h"
#include "brski/envelope.h"

extern "C" int fuzz_voucher_cms(const unsigned char* data, std::size_t size)
{
    using namespace acmetool;
    using namespace acmetool::brski;
    if (const auto envelope = parse_envelope({data, size}, Format::cms))
        static_cast<void>(verify_signature(*envelope).has_value());
    static_cast<void>(unverified_content({data, size}, Format::cms).has_value());
    // A header's value.
    static_cast<void>(format_of(as_text({data, size})).has_value());
    static_cast<void>(choose_format(as_text({data, size}), Format::cms).has_value());
    return 0;
}
